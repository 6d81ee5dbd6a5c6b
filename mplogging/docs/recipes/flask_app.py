"""python flask_app.py 8000

The reloader starts this program a second time, as a process of its own that serves, and again
whenever a source file changes. The first one begins the session, the others attach to it.
"""

import logging
import sys

from flask import Flask

import mplogging

app = Flask(__name__)


@app.route("/<path:path>")
def answer(path):
    logging.getLogger("shop").info("asked for /%s", path)
    return "thank you"


if __name__ == "__main__":
    if not mplogging.attach(required=False):
        mplogging.LogSession("logs/app.log", backupCount=15).start()
    app.run(port=int(sys.argv[1]), debug=True)
