"""A screen in the terminal to watch a run.

    Hub of `liveclf.view` --> event loop of the screen
        --> Band (rows), List (emissions), figures --> widgets, five times a second --> Paper

The loop of the run has a thread of its own and copies a block, no more. What the screen has
not taken goes, oldest first, counted; a terminal that does not take what is drawn holds up
nobody, as only `Paper` waits for it.
"""
