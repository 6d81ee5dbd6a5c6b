"""What a Django project's settings have for one dated log, of all its processes."""

SECRET_KEY = "made for this recipe"
DEBUG = True
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["shop"]

LOGGING = {
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
        "django": {"level": "INFO", "handlers": [], "propagate": True},
        "django.server": {"level": "INFO", "handlers": [], "propagate": True},
    },
}
