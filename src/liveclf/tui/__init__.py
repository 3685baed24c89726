"""A screen in the terminal to watch a run.

    Hub of `liveclf.view` --> Following (bands, list, figures) --> Drawing, five times a second
        --> widgets --> Paper
    keys --> RunScreen --> Commands --> Controls of `liveclf.view`

The loop of the run has a thread of its own and copies a block, no more. What the screen has
not taken goes, oldest first, counted; a terminal that does not take what is drawn holds up
nobody, as only `Paper` waits for it.
"""
