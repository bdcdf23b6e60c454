#!/bin/sh
# Take away what an installation of OS packages leaves that depends on the day, the host or the run.
#
#     settle-debs.sh SHADOW MARK AUTO
#
# SHADOW is a copy of /etc/shadow from before, MARK a file that was made then, AUTO lists the packages that
# nobody asked for by name.
set -eu

# Which packages apt may remove again with those that need them.
xargs -r apt-mark auto < "$3" > /dev/null

# Logs, lists and caches: apt's and debconf's, ldconfig's table of what it has seen, dpkg's last state.
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache
rm -f /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log /var/log/apt/*
rm -f /var/lib/dpkg/*-old /var/cache/debconf/*-old /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- \
  /etc/subuid- /etc/subgid-

# Accounts that were made now: the day on which a password was last changed is the one date of all files.
if [ -e /etc/shadow ] && ! cmp -s "$1" /etc/shadow; then
  awk -F: -v OFS=: 'NR == FNR { before[$0]; next } !($0 in before) && $3 != "" { $3 = 3653 } { print }' \
    "$1" /etc/shadow > "$1.now"
  cat "$1.now" > /etc/shadow
fi

# What is drawn by lot: a container makes its own when it needs one.
for name in /etc/machine-id /var/lib/dbus/machine-id /var/lib/systemd/random-seed /etc/ssh/ssh_host_*_key*; do
  if [ -n "$(find "$name" -newer "$2" 2> /dev/null)" ]; then rm -f "$name"; fi
done

# Byte code that maintainer scripts compiled: it depends on the process that compiles.
find / -xdev -name '*.pyc' -newer "$2" -delete
find / -xdev -depth -type d -name __pycache__ -newer "$2" -empty -delete
