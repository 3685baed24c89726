"""Wideband scenes: what a receiver hears of a whole band, and the truth about it.

senders --Sending--> plan --Planned--> received --Scene--> files
"""
