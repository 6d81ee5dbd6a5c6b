"""gunicorn -c gunicorn_conf.py app:app

What the application, the workers and the arbiter log stands in logs/app.log.DATE, and so
does the access log. Each process writes for itself: HUP, TTIN, preload and gevent are all one.
"""

workers = 4

logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s"}
    },
    "handlers": {
        "file": {
            "class": "mplogging.DatedFileHandler",
            "filename": "logs/app.log",
            "backupCount": 15,
            "formatter": "line",
        }
    },
    "root": {"level": "INFO", "handlers": ["file"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        "gunicorn.access": {"level": "INFO", "handlers": [], "propagate": True},
    },
}
