"""A page to watch a run in a browser.

    loop --Block--> Tap --> [bounded] --thread--> Waterfall --rows--.
    loop --Emissions--> [queue] --thread--> Told (clips, labels) ---+--> Hub --> each client
    loop --figures--------------------------------------------------'    [bounded, oldest go]

The loop copies a block and goes on. The server has a thread and an event loop of its own; a
browser that does not read loses rows, counted, and is cut off when it has not answered for
some seconds. What it gets are rows of a picture and records, never the samples of the band.
"""
