"""What a network is worth: verdicts on known windows or emissions, figures, tables, pictures."""
