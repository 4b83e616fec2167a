# One command each; the environment is made when it is missing or its lock has changed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: report test notebooks sample lab docs simulate fuzz spark bench lock

report: .venv/ready  ## the last complete week of the sample as HTML
	$(BIN)/funnelstats weekly sample

# Test files run in the order of their names: the last ones are short, so that no core waits long for another.
test: .venv/ready  ## lint, types, unit tests and doctests, notebooks against their outputs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/funnelstats prepare sample
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Of a notebook that is not trusted JupyterLab leaves drawings out.
lab: .venv/ready  ## JupyterLab on the notebooks
	$(BIN)/funnelstats prepare sample
	$(BIN)/jupyter trust notebooks/*.ipynb
	$(BIN)/jupyter lab notebooks

docs: .venv/ready  ## the site of the documentation, under build/site
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

notebooks: .venv/ready  ## execute the notebooks and the goldens again and keep their outputs
	$(BIN)/funnelstats prepare sample
	$(BIN)/python tests/golden/write.py
	$(BIN)/python tools/committed.py notebooks/*.ipynb tests/golden/*.ipynb

sample: .venv/ready  ## write data/raw/sample again from its seed
	$(BIN)/python -m tools.sample data/raw/sample

simulate: .venv/ready  ## the long simulations behind docs/simulations.md
	$(BIN)/pytest -m simulation

fuzz: .venv/ready  ## a hundred times the damage that make test does to files, statements and exports
	FUZZ=100 $(BIN)/pytest --numprocesses auto tests/robustness

spark: .venv/ready  ## the tests on Spark, which make test skips where it is not there; needs Java
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[spark]"
	$(BIN)/pytest -k spark tests

bench: .venv/ready  ## preparing, counting and growth beside the same by hand; docs/performance.md has the figures
	$(BIN)/python benchmarks/preparing.py 300000 3
	$(BIN)/pip install --quiet --disable-pip-version-check polars chdb
	$(BIN)/python benchmarks/scale.py 250000 polars pandas chdb
	$(BIN)/python benchmarks/scale.py 2500000 polars chdb
	$(BIN)/python benchmarks/incidence.py

lock: .venv/ready  ## choose versions anew, within pyproject.toml
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --upgrade --no-header --no-annotate --no-emit-index-url --generate-hashes \
		--python-version 3.11 --extra lab --extra test pyproject.toml -o requirements.lock

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; state it like: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv is missing; on Debian: apt install python3-venv"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
