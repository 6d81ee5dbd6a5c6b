"""shop/management/commands/django_command.py: python manage.py django_command 1000

The session takes over what LOGGING has set up, and the workers log to it. `django.setup` is for
those that are not forked; Django may set up logging there anew.
"""

import logging
import multiprocessing

import django
from django.core.management.base import BaseCommand

import mplogging


def work(number):
    logging.getLogger("shop").info("number %d", number)


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("count", type=int)

    def handle(self, count, **options):
        with mplogging.LogSession():
            with multiprocessing.Pool(4, django.setup) as pool:
                pool.map(work, range(count))
