"""The pages of a week, every Monday, by Airflow 3: a DAG of one task that runs the command."""

import os
import subprocess
from datetime import timedelta

import pendulum
from airflow.exceptions import AirflowFailException
from airflow.sdk import dag, task

BAD_INPUT = 2


@dag(schedule="23 4 * * 1", start_date=pendulum.datetime(2026, 1, 5, tz="Europe/Berlin"), catchup=False)
def funnel_weekly():
    @task(retries=1, retry_delay=timedelta(minutes=10), execution_timeout=timedelta(hours=1))
    def pages():
        told = subprocess.run(["funnelstats", "weekly", "acme"], env={**os.environ, "FUNNELSTATS_PROJECT": "/srv/acme"})
        if told.returncode == BAD_INPUT:
            raise AirflowFailException("bad input, which another try does not mend; the log says what")
        told.check_returncode()

    pages()


funnel_weekly()
