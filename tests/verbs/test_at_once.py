"""Many builds at the same time on one cache."""

EIGHT = 8
INDEXES = 2
"""Files of the server that only `lock` asks for."""


def test_eight_builds_on_a_cold_cache_give_one_image_and_fetch_everything_once(project):
    running = [project.start("build", "--output", f"../image-{number}") for number in range(EIGHT)]
    ended = [project.end(process) for process in running]
    assert len({one.digest for one in ended}) == 1
    fetched = {
        path: count for path, count in project.site.asked.items() if "wheels" in path or "pool" in path
    }
    assert len(fetched) == 7
    assert set(fetched.values()) == {1}
    assert len(project.records()) == EIGHT
    assert not project.leftovers()
    assert project.run("cache", "verify").stdout == "clean\n"


def test_builds_into_one_output_at_once_leave_one_whole_image(project):
    running = [project.start("build") for _ in range(4)]
    (digest,) = {project.end(process).digest for process in running}
    assert project.built() == digest
    assert not project.leftovers()
