"""python uvicorn_server.py 8000

With `log_config=None`, uvicorn's own messages and its access log go where all others do. Its
workers, which it spawns, attach by themselves. Starlette, FastAPI and others are no different.
"""

import logging
import sys

import uvicorn

import mplogging


async def app(scope, receive, send):
    if scope["type"] == "http":
        logging.getLogger("shop").info("asked for %s", scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"thank you"})


if __name__ == "__main__":
    with mplogging.LogSession("logs/app.log", backupCount=15):
        uvicorn.run("uvicorn_server:app", port=int(sys.argv[1]), workers=4, log_config=None)
