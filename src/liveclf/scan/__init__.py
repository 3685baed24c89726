"""Bulk work over archives: many recordings, several workers, one folder of results.

    listing --Found--> crew --Found--> worker: labeller --Outcome--> crew --> results
                        |              (its own process and engine)
                        +-- workplace: processes of this machine, or a Ray cluster

A worker has one file at a time, so whatever dies with it is known. Only the process that was
started by the user writes results; a worker writes the details of its own file.
"""
