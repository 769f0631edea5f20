"""`/api/v1/admin/schedules`."""

from litestar import Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream

from control_plane.edge.visit import actor_of
from control_plane.input.kinds import row_id
from control_plane.input.requests import AnyRequest, read_body, read_query, refuse_body
from control_plane.roles import Role
from control_plane.routing import Routes, answer, needs, no_content
from control_plane.schedules.service import Schedules
from control_plane.schedules.stored import StoredSnapshots
from control_plane.schedules.views import (
    JobQuery,
    JobRunView,
    RunQueuedView,
    ScheduleCreate,
    ScheduleUpdate,
    ScheduleView,
    SnapshotDetail,
    SnapshotQuery,
    SnapshotView,
    job_run_view,
    schedule_view,
    snapshot_view,
)
from qg_core.job_runs import RunStatus
from qg_store.repositories.job_runs import RunFilter


def schedule_routes(service: Schedules, stored: StoredSnapshots) -> Routes:
    """Managing schedules, and what came of them."""
    return Routes("/api/v1/admin/schedules", route_handlers=[*_schedules(service), *_results(service, stored)])


def _schedules(service: Schedules) -> list[HTTPRouteHandler]:
    @get("/", opt=needs(Role.VIEWER, answer=list[ScheduleView]))
    async def list_schedules() -> Response[bytes]:
        """All schedules, oldest first."""
        return answer([schedule_view(row) for row in await service.every()])

    @post("/", opt=needs(Role.EDITOR, body=ScheduleCreate, answer=ScheduleView))
    async def create_schedule(request: AnyRequest) -> Response[bytes]:
        """Schedule an endpoint; one schedule each."""
        wanted = await read_body(request, ScheduleCreate)
        row, revision = await service.create(wanted, actor_of(request.scope))
        return answer(schedule_view(row), status=201, revision=revision)

    @get("/{schedule_id:str}", opt=needs(Role.VIEWER, answer=ScheduleView))
    async def get_schedule(schedule_id: FromPath[str]) -> Response[bytes]:
        """One schedule."""
        return answer(schedule_view(await service.one(row_id(schedule_id))))

    @put("/{schedule_id:str}", opt=needs(Role.EDITOR, body=ScheduleUpdate, answer=ScheduleView))
    async def update_schedule(request: AnyRequest, schedule_id: FromPath[str]) -> Response[bytes]:
        """Change a schedule; omitted fields stay."""
        identity = row_id(schedule_id)
        wanted = await read_body(request, ScheduleUpdate)
        row, revision = await service.update(identity, wanted, actor_of(request.scope))
        return answer(schedule_view(row), revision=revision)

    @delete("/{schedule_id:str}", opt=needs(Role.EDITOR))
    async def delete_schedule(request: AnyRequest, schedule_id: FromPath[str]) -> Response[None]:
        """Remove a schedule; its snapshots stay."""
        return no_content(await service.delete(row_id(schedule_id), actor_of(request.scope)))

    @post("/{schedule_id:str}/run", opt=needs(Role.EDITOR, answer=RunQueuedView), status_code=202)
    async def run_schedule(request: AnyRequest, schedule_id: FromPath[str]) -> Response[bytes]:
        """Ask for a run now, beside the planned ones."""
        identity = row_id(schedule_id)
        await refuse_body(request)
        run_id, revision = await service.run(identity, actor_of(request.scope))
        return answer(RunQueuedView(status=RunStatus.QUEUED, job_run_id=run_id), status=202, revision=revision)

    @post("/{schedule_id:str}/pause", opt=needs(Role.EDITOR, answer=ScheduleView), status_code=200)
    async def pause_schedule(request: AnyRequest, schedule_id: FromPath[str]) -> Response[bytes]:
        """Plan no further runs until it is resumed."""
        identity = row_id(schedule_id)
        await refuse_body(request)
        row, revision = await service.switch(identity, actor_of(request.scope), on=False)
        return answer(schedule_view(row), revision=revision)

    @post("/{schedule_id:str}/resume", opt=needs(Role.EDITOR, answer=ScheduleView), status_code=200)
    async def resume_schedule(request: AnyRequest, schedule_id: FromPath[str]) -> Response[bytes]:
        """Plan runs again; intervals count from now."""
        identity = row_id(schedule_id)
        await refuse_body(request)
        row, revision = await service.switch(identity, actor_of(request.scope), on=True)
        return answer(schedule_view(row), revision=revision)

    return [
        list_schedules,
        create_schedule,
        get_schedule,
        update_schedule,
        delete_schedule,
        run_schedule,
        pause_schedule,
        resume_schedule,
    ]


def _results(service: Schedules, stored: StoredSnapshots) -> list[HTTPRouteHandler]:
    @get("/jobs", opt=needs(Role.VIEWER, query=JobQuery, answer=list[JobRunView]))
    async def list_job_runs(request: AnyRequest) -> Response[bytes]:
        """Job runs, the latest planned first."""
        wanted = read_query(request, JobQuery)
        filtered = RunFilter(
            schedule_id=row_id(wanted.schedule_id, "schedule_id") if wanted.schedule_id is not None else None,
            endpoint_id=row_id(wanted.endpoint_id, "endpoint_id") if wanted.endpoint_id is not None else None,
        )
        rows = await service.runs(filtered, wanted.limit)
        role = actor_of(request.scope).role
        return answer([job_run_view(row, role) for row in rows])

    @get("/jobs/{job_run_id:str}", opt=needs(Role.VIEWER, answer=JobRunView))
    async def get_job_run(request: AnyRequest, job_run_id: FromPath[str]) -> Response[bytes]:
        """One job run."""
        row = await service.one_run(row_id(job_run_id))
        return answer(job_run_view(row, actor_of(request.scope).role))

    @get("/snapshots/{endpoint_id:str}", opt=needs(Role.VIEWER, query=SnapshotQuery, answer=list[SnapshotView]))
    async def list_snapshots(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
        """The snapshots of an endpoint that are kept, newest first."""
        identity = row_id(endpoint_id)
        wanted = read_query(request, SnapshotQuery)
        return answer([snapshot_view(row) for row in await stored.every(identity, wanted.limit)])

    @get("/snapshots/detail/{snapshot_id:str}", opt=needs(Role.EDITOR, answer=SnapshotDetail))
    async def get_snapshot(request: AnyRequest, snapshot_id: FromPath[str]) -> Stream:
        """One snapshot with its rows."""
        opened = await stored.open(row_id(snapshot_id), actor_of(request.scope))
        return Stream(opened.body, media_type="application/json", headers={"content-length": str(opened.size)})

    return [list_job_runs, get_job_run, list_snapshots, get_snapshot]
