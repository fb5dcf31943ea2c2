# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Installed before the rest: a bare "torch" may bring gigabytes of GPU libraries.
TORCH ?= torch==2.13.0
EXTRAS := tesseract,postgresql,dask,parquet,microscopes,labels,serve,training,test,docs
# Test files run side by side, one process a core.
WORKERS ?= logical
DEMO := demo-output

.PHONY: venv demo test lint docs benchmarks examples show generated clean

venv: $(READY)

$(READY): setup.cfg pyproject.toml Makefile
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or later is needed, not %s; set PYTHON=python3.x" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	touch $(READY)

demo: $(READY)
	$(BIN)/ide extract data/sample --again --db sqlite:///$(DEMO)/particles.db --pictures $(DEMO)/overlays
	@echo
	$(BIN)/python -m imagedataextractor.report.demo --db sqlite:///$(DEMO)/particles.db --plot $(DEMO)/sizes.png
	@echo
	$(BIN)/ide report --db sqlite:///$(DEMO)/particles.db --out $(DEMO)/report.html
	@echo "overlays: $(DEMO)/overlays/   plot: $(DEMO)/sizes.png   report: $(DEMO)/report.html   database: $(DEMO)/particles.db"

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation site, into site/; a warning is an error.
docs: $(READY)
	$(BIN)/sphinx-build -q -W --keep-going -b html docs site

# The tables of docs/evaluation, with machine and date; QUICK=1 on a few drawn micrographs.
benchmarks: $(READY)
	$(BIN)/python benchmarks/tables.py $(if $(QUICK),--quick)

# The files that the guide names, the database that its questions ask, and what is made of both: answers, pictures.
examples: $(READY)
	$(BIN)/python docs/example_files.py examples
	cd examples && ../$(BIN)/ide extract data/sample my-micrographs micrograph.png --scales scales.csv \
		--pictures overlays --again
	$(BIN)/python docs/answer_questions.py sqlite:///examples/particles.db
	$(BIN)/python docs/make_pictures.py examples

# A corpus to show: the open articles of ../shared/samples, with report and attribution, into show/.
show: $(READY)
	$(BIN)/python docs/show.py

# Pages made from the tables and columns themselves.
generated: $(READY)
	$(BIN)/python -m imagedataextractor.store.schema picture > db/schema.md
	$(BIN)/python -m imagedataextractor.store.schema columns > docs/columns.md

clean:
	rm -rf $(VENV) $(DEMO) examples show build site *.egg-info
