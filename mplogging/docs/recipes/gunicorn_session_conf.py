"""gunicorn -c gunicorn_session_conf.py app:app

As gunicorn_conf.py, but by a session, in which the arbiter writes for all. gunicorn asks its
logger class to set logging up when it starts and at each HUP; the session lasts all the time.
gunicorn's own messages go to stderr and stdout too, as ever.
"""

from gunicorn import glogging

import mplogging


class Logger(glogging.Logger):
    def setup(self, cfg):
        super().setup(cfg)
        self.error_log.propagate = self.access_log.propagate = True
        if mplogging.current_session() is None:
            mplogging.LogSession("logs/app.log", backupCount=15).start()


logger_class = Logger
accesslog = "-"
workers = 4
