"""What the ledger asks SQLite. All is made of constants: values go in as parameters."""

from __future__ import annotations

from envfreeze.compare.entries import BOTH, NUMBERS, OPAQUE, WHITEOUT
from envfreeze.oci.members import Type

COLUMNS = (
    "slot, side, layer, mark, path, place, type, mode, uid, gid, size, mtime, link, device, xattrs, names,"
    " content, inode, peers, plain"
)
SCHEMA = f"""
CREATE TABLE entry ({COLUMNS}, hidden DEFAULT 0, PRIMARY KEY (slot, side, path, mark, layer)) WITHOUT ROWID;
CREATE TABLE owner (slot, side, layer, listing, path, package, source, hash);
CREATE INDEX owner_path ON owner (path);
CREATE TABLE package (slot, side, layer, listing, source, root, name, version);
CREATE TABLE link (slot, side, layer, inode, first, PRIMARY KEY (slot, side, layer, inode)) WITHOUT ROWID;
CREATE TABLE wanted (path PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE differing (slot, path, PRIMARY KEY (path, slot)) WITHOUT ROWID;
"""


_PLACES = ", ".join("?" for _ in COLUMNS.split(","))
INSERT = f"INSERT OR REPLACE INTO entry ({COLUMNS}) VALUES ({_PLACES})"
BY_PATH = "CREATE INDEX IF NOT EXISTS entry_path ON entry (path)"

AT = "slot = ? AND side = ?"
FIELDS = (
    "side, layer, place, path, type, mode, uid, gid, size, mtime, link, device, xattrs, names, content, peers"
)
SELECT = f"SELECT {FIELDS} FROM entry WHERE {AT}"
LAYERS = f"SELECT DISTINCT layer FROM entry WHERE {AT} ORDER BY layer"
TARGET = (
    "SELECT type, mode, uid, gid, size, mtime, xattrs, content, inode FROM entry"
    f" WHERE {AT} AND layer = ? AND path = ? AND mark = 0"
)
FOLLOW = (
    "UPDATE entry SET type = ?, mode = ?, uid = ?, gid = ?, size = ?, mtime = ?, xattrs = ?, content = ?,"
    f" inode = ?, link = x'' WHERE {AT} AND layer = ? AND path = ? AND mark = 0"
)
HIDE = f"UPDATE entry SET hidden = 1 WHERE {AT} AND layer < ? AND mark = 0"
REPLACES_DIRECTORY = (
    f"SELECT path FROM entry AS upper WHERE {AT} AND layer = ? AND mark = 0"
    f" AND type != {NUMBERS[Type.DIRECTORY]} AND EXISTS (SELECT 1 FROM entry AS lower"
    " WHERE lower.slot = upper.slot AND lower.side = upper.side"
    f" AND lower.path = upper.path AND lower.layer < upper.layer AND lower.type = {NUMBERS[Type.DIRECTORY]})"
)
OVERRIDDEN = (
    f"UPDATE entry SET hidden = 1 WHERE {AT} AND EXISTS (SELECT 1 FROM entry AS upper WHERE"
    " upper.slot = entry.slot AND upper.side = entry.side AND upper.path = entry.path"
    " AND upper.mark = entry.mark AND upper.layer > entry.layer)"
)
LINK = (
    f"INSERT INTO link SELECT slot, side, layer, inode, MIN(path) FROM entry WHERE {AT} AND mark = 0"
    f" AND hidden = 0 AND type = {NUMBERS[Type.FILE]} GROUP BY layer, inode HAVING COUNT(*) > 1"
)
PEERS = (
    "UPDATE entry SET peers = (SELECT first FROM link WHERE link.slot = entry.slot AND link.side = entry.side"
    f" AND link.layer = entry.layer AND link.inode = entry.inode) WHERE {AT} AND mark = 0 AND hidden = 0"
    " AND EXISTS (SELECT 1 FROM link WHERE link.slot = entry.slot AND link.side = entry.side"
    " AND link.layer = entry.layer AND link.inode = entry.inode)"
)
REPLACED = (
    f"UPDATE entry SET hidden = 1 WHERE {AT} AND mark = {WHITEOUT} AND EXISTS (SELECT 1 FROM entry AS now"
    " WHERE now.slot = entry.slot AND now.side = entry.side AND now.path = entry.path AND now.mark = 0"
    f" AND now.hidden = 0 AND now.layer >= entry.layer AND now.type != {NUMBERS[Type.DIRECTORY]})"
)
EMPTIED = (
    # A deletion and a directory in its place: the directory is empty but for what the layer puts there.
    f"UPDATE OR REPLACE entry SET mark = {OPAQUE} WHERE {AT} AND mark = {WHITEOUT} AND hidden = 0 AND EXISTS"
    " (SELECT 1 FROM entry AS now WHERE now.slot = entry.slot AND now.side = entry.side"
    " AND now.path = entry.path AND now.mark = 0 AND now.hidden = 0 AND now.layer >= entry.layer)"
)
ORPHANS = (
    f"DELETE FROM {{table}} WHERE {AT} AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.slot = {{table}}.slot"
    " AND entry.side = {table}.side AND entry.path = {table}.listing AND entry.mark = 0"
    " AND entry.layer = {table}.layer AND entry.hidden = 0)"
)
BELOW = (
    f"SELECT slot, {FIELDS} FROM entry WHERE slot < ? AND side IN (?, ?) AND path = ? AND mark = 0"
    " AND hidden = 0 ORDER BY slot DESC LIMIT 1"
)
DELETES = (
    "SELECT 1 FROM entry WHERE slot > ? AND slot < ? AND side IN (?, ?) AND path = ? AND mark > 0"
    " AND mark <= ? AND hidden = 0 LIMIT 1"
)
ABOVE = f"SELECT 1 FROM entry WHERE slot > ? AND side = {BOTH} AND path = ? AND mark = 0 LIMIT 1"
DELETED_ABOVE = (
    f"SELECT 1 FROM entry WHERE slot > ? AND side = {BOTH} AND path = ? AND mark > 0 AND mark <= ? LIMIT 1"
)
OWNER = (
    "SELECT package, source, hash FROM owner WHERE path = ? AND side IN (?, ?)"
    " ORDER BY source = 'conda' DESC, source = 'pip' DESC, side, slot DESC, hash = '' LIMIT 1"
)
PACKAGES = (
    "SELECT source, root, name, version, slot, listing FROM package AS one WHERE side IN (?1, ?2) AND"
    " (source != 'dpkg' OR root != '' OR slot = (SELECT MAX(slot) FROM package AS other"
    " WHERE other.source = 'dpkg' AND other.root = '' AND other.side IN (?1, ?2)))"
    " ORDER BY source, name, root, version"
)
IDLE = f"SELECT COUNT(*) FROM entry WHERE {AT} AND mark > 0 AND hidden = 0"
UNMARK = f"UPDATE entry SET hidden = 1 WHERE {AT} AND mark > 0"
LINKS = (
    f"SELECT layer, path, inode FROM entry WHERE {AT} AND type = {NUMBERS[Type.HARDLINK]} AND mark = 0"
    " ORDER BY layer, place"
)
MARKS_OF = f"SELECT path, mark FROM entry WHERE {AT} AND layer = ? AND mark > 0"
HIDE_PATH = f"{HIDE} AND path = ?"
HIDE_INSIDE = f"{HIDE} AND path >= ? AND path < ?"
ENTRIES = f"{SELECT} AND mark = 0 AND hidden = 0 ORDER BY path"
MARKS = f"SELECT path, mark, layer FROM entry WHERE {AT} AND mark > 0 AND hidden = 0 ORDER BY path, mark"
ORDER = f"SELECT path FROM entry WHERE {AT} ORDER BY layer, place"
HAS_INSIDE = f"SELECT 1 FROM entry WHERE {AT} AND path >= ? AND path < ? AND hidden = 0 LIMIT 1"
