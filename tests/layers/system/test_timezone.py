"""The time zone is UTC."""

from __future__ import annotations


def test_localtime_links_to_utc_where_tzdata_is(system):
    assert system(tzdata=[]).link("etc/localtime") == "/usr/share/zoneinfo/Etc/UTC"
    assert "etc/localtime" not in system()


def test_etc_timezone_is_written_only_where_the_postinst_makes_one(system):
    makes = '#!/bin/sh\necho "$TIMEZONE" > "$DPKG_ROOT/etc/timezone"\n'
    updates = '#!/bin/sh\ntest -f "$DPKG_ROOT/etc/timezone" && echo "$TIMEZONE" > "$DPKG_ROOT/etc/timezone"\n'
    assert system(tzdata={"control": {"postinst": makes}}).text("etc/timezone") == "Etc/UTC\n"
    assert "etc/timezone" not in system(tzdata={"control": {"postinst": updates}, "version": "2"})
