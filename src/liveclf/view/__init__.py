"""What the page and the screen have in common: what is seen of a run, and what can be set on it.

    loop --Block--> Tap --> [bounded] --thread--> Waterfall --rows--.
    loop --Emissions--> [queue] --thread--> Told (clips, labels) ---+--> Hub --> each client
    loop --figures--------------------------------------------------'    [bounded, oldest go]
    client --requests--> Controls --> sources, thresholds

The loop copies a block and goes on. A client, a browser or the screen, that does not take what
is new loses the oldest of it, counted. What it gets are rows of a picture and records, never
the samples of the band.
"""
