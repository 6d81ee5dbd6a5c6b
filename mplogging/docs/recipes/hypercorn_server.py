"""python hypercorn_server.py 8000

Loggers in place of file names let hypercorn's messages and its access log go where all others
do. Its workers, which it spawns, attach by themselves.
"""

import logging
import sys

from hypercorn.config import Config
from hypercorn.run import run

import mplogging


async def app(scope, receive, send):
    if scope["type"] == "http":
        logging.getLogger("shop").info("asked for %s", scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"thank you"})


if __name__ == "__main__":
    config = Config.from_mapping(bind=f"127.0.0.1:{sys.argv[1]}", workers=4)
    config.application_path = "hypercorn_server:app"
    config.accesslog = logging.getLogger("hypercorn.access")
    config.errorlog = logging.getLogger("hypercorn.error")
    with mplogging.LogSession("logs/app.log", backupCount=15):
        run(config)
