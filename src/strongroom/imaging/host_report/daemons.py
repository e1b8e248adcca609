# SPDX-License-Identifier: Apache-2.0
"""Programs that are known to listen: where their configuration is, and what they do without one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.imaging.tree.tree import Tree


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that listens. `pattern` finds what it listens on in a line of `files`, in its first group."""

    name: str
    programs: tuple[str, ...]
    default: str
    """What it listens on where no file says otherwise."""
    files: tuple[str, ...] = ()
    pattern: str = r"(?!)"


_SBIN = ("/usr/sbin/{}", "/usr/bin/{}", "/usr/local/sbin/{}", "/usr/local/bin/{}")


def _daemon(name: str, default: str, *files: str, pattern: str = r"(?!)", program: str = "") -> Daemon:
    return Daemon(name, tuple(place.format(program or name) for place in _SBIN), default, files, pattern)


_VALUE = r"[:=\s]\s*([^\s;#]+)"
DAEMONS = (
    _daemon(
        "sshd",
        "TCP 22 on every address",
        "/etc/ssh/sshd_config",
        "/etc/ssh/sshd_config.d/*.conf",
        pattern=r"\s*(?:Port|ListenAddress)\s+(\S+)",
    ),
    _daemon("dropbear", "TCP 22 on every address"),
    _daemon(
        "nginx",
        "TCP 80 on every address",
        "/etc/nginx/nginx.conf",
        "/etc/nginx/conf.d/*",
        "/etc/nginx/sites-enabled/*",
        pattern=r"\s*listen\s+([^;]+);",
    ),
    _daemon(
        "apache2",
        "TCP 80 on every address",
        "/etc/apache2/ports.conf",
        "/etc/apache2/sites-enabled/*",
        pattern=r"\s*Listen\s+(.+)",
    ),
    _daemon("httpd", "TCP 80 on every address", "/etc/httpd/conf/httpd.conf", pattern=r"\s*Listen\s+(.+)"),
    _daemon("haproxy", "what its configuration binds", "/etc/haproxy/haproxy.cfg", pattern=r"\s*bind\s+(\S+)"),
    _daemon("caddy", "TCP 80 and 443 on every address"),
    _daemon("envoy", "what its configuration binds"),
    _daemon("redis-server", "TCP 6379 on 127.0.0.1", "/etc/redis/redis.conf", pattern=r"\s*(?:port|bind)\s+(.+)"),
    _daemon("postgres", "TCP 5432 on localhost", "/etc/postgresql/*/*/postgresql.conf", pattern=rf"\s*port{_VALUE}"),
    _daemon("mysqld", "TCP 3306 on every address", "/etc/mysql/my.cnf", pattern=rf"\s*(?:port|bind-address){_VALUE}"),
    _daemon("mariadbd", "TCP 3306 on every address", "/etc/mysql/my.cnf", pattern=rf"\s*(?:port|bind-address){_VALUE}"),
    _daemon("dockerd", "a socket in /run, or what -H says", "/etc/docker/daemon.json", pattern=r'.*"(tcp://[^"]+)"'),
    _daemon("containerd", "a socket in /run"),
    _daemon("dnsmasq", "UDP and TCP 53 on every address", "/etc/dnsmasq.conf", pattern=r"\s*(?:port|interface)=(\S+)"),
    _daemon("rpcbind", "UDP and TCP 111 on every address"),
    _daemon("avahi-daemon", "UDP 5353 on every address"),
    _daemon("smbd", "TCP 139 and 445 on every address"),
    _daemon("exim4", "TCP 25"),
    _daemon("cupsd", "TCP 631", "/etc/cups/cupsd.conf", pattern=r"\s*Listen\s+(\S+)"),
    _daemon("snmpd", "UDP 161"),
    _daemon("chronyd", "UDP 323 on localhost, for commands", "/etc/chrony*", pattern=r"\s*(?:cmdport|port)\s+(\S+)"),
    _daemon("prometheus-node-exporter", "TCP 9100 on every address"),
    Daemon(
        "systemd-resolved",
        ("/usr/lib/systemd/systemd-resolved", "/lib/systemd/systemd-resolved"),
        "UDP and TCP 53 on 127.0.0.53 and 127.0.0.54; LLMNR and mDNS on UDP 5353 and 5355 unless switched off",
        ("/etc/systemd/resolved.conf", "/etc/systemd/resolved.conf.d/*.conf"),
        r"\s*(?:DNSStubListener|DNSStubListenerExtra|LLMNR|MulticastDNS)=(.+)",
    ),
    Daemon(
        "systemd-networkd",
        ("/usr/lib/systemd/systemd-networkd", "/lib/systemd/systemd-networkd"),
        "UDP 68, as a DHCP client, and ICMPv6",
    ),
)


def configured(tree: Tree, daemon: Daemon) -> Iterator[tuple[str, str, int]]:
    """Yield what a daemon's own files say it listens on, with file and line. Comments do not count."""
    pattern = re.compile(daemon.pattern, re.IGNORECASE)
    for name in daemon.files:
        for node in tree.glob(name):
            for number, line in tree.lines(node.path):
                found = pattern.match(line)
                if found:
                    yield found.group(1).strip(), node.path, number
