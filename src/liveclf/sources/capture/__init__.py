"""Live capture: a driver in a process of its own, a bounded ring, and what comes back by itself.

    driver --bytes--> Tape --slots--> Ring (shared memory) --slots--> LiveSource --Block--> ...
    `---------- capture process ----------'                  `------ this process ------'

Driver code may hang, crash or leak; the process that runs it can always be ended and begun
again, and the stream goes on with a marked gap.
"""
