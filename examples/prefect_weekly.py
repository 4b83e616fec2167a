"""The pages of a week, every Monday, by Prefect 3: `python prefect_weekly.py` serves the flow."""

import os
import subprocess

from prefect import flow, task

BAD_INPUT = 2


def mended_by_another_try(_task, _run, state):
    return state.result(raise_on_failure=False).returncode != BAD_INPUT


@task(retries=1, retry_delay_seconds=600, retry_condition_fn=mended_by_another_try, timeout_seconds=3600)
def pages():
    command = ["funnelstats", "weekly", "acme"]
    subprocess.run(command, env={**os.environ, "FUNNELSTATS_PROJECT": "/srv/acme"}, check=True)


@flow
def funnel_weekly():
    pages()


if __name__ == "__main__":
    funnel_weekly.serve(name="every-monday", cron="23 4 * * 1")
