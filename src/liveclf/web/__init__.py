"""A page to watch a run in a browser.

    Hub of `liveclf.view` --> event loop of the server --websocket--> page/
    page/ --messages--> Controls of `liveclf.view`

The server has a thread and an event loop of its own; a browser that has not answered for some
seconds is cut off.
"""
