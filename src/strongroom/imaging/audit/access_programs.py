# SPDX-License-Identifier: Apache-2.0
"""Programs that give access to a machine or take orders from outside, by the names of their units, files and packages.

Names are those of Debian and Amazon Linux. Units are shell patterns; the first file of a program that is there stands
for it.
"""

from __future__ import annotations

from dataclasses import dataclass

SSH, SSM, INSTANCE_CONNECT, CLOUD_INIT = "ssh", "ssm", "instance-connect", "cloud-init"
OTHERS, UPDATES, LOGGING = "others", "updates", "logging"


@dataclass(frozen=True, slots=True)
class Program:
    """One program. `group` is the rule that it belongs to."""

    group: str
    name: str
    units: tuple[str, ...]
    files: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


PROGRAMS = (
    Program(
        SSH,
        "OpenSSH's server",
        ("ssh.service", "ssh.socket", "sshd.service", "sshd.socket", "ssh@*.service", "sshd@*.service"),
        ("/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"),
        ("openssh-server",),
    ),
    Program(
        SSH,
        "Dropbear",
        ("dropbear*.service", "dropbear*.socket"),
        ("/usr/sbin/dropbear", "/usr/bin/dropbear"),
        ("dropbear", "dropbear-bin", "dropbear-initramfs"),
    ),
    Program(SSH, "TinySSH", ("tinysshd*",), ("/usr/sbin/tinysshd", "/usr/bin/tinysshd"), ("tinysshd",)),
    Program(
        SSH,
        "telnet or rsh",
        ("telnet*", "inetd.service", "inetutils-inetd.service", "xinetd.service", "rsh*", "rlogin*"),
        ("/usr/sbin/telnetd", "/usr/sbin/in.telnetd", "/usr/sbin/inetd", "/usr/sbin/xinetd"),
        ("telnetd", "inetutils-telnetd", "inetutils-inetd", "openbsd-inetd", "xinetd", "rsh-server"),
    ),
    Program(
        SSM,
        "the SSM agent",
        ("amazon-ssm-agent.service", "snap.amazon-ssm-agent.*"),
        (
            *("/usr/bin/amazon-ssm-agent", "/usr/bin/ssm-agent-worker", "/snap/bin/amazon-ssm-agent"),
            "/snap/amazon-ssm-agent",
        ),
        ("amazon-ssm-agent",),
    ),
    Program(
        INSTANCE_CONNECT,
        "EC2 Instance Connect",
        ("ec2-instance-connect*",),
        ("/opt/aws/bin/eic_run_authorized_keys", "/usr/share/ec2-instance-connect/eic_run_authorized_keys"),
        ("ec2-instance-connect", "ec2-instance-connect-selinux"),
    ),
    Program(
        CLOUD_INIT,
        "cloud-init",
        ("cloud-init*", "cloud-config*", "cloud-final*"),
        ("/usr/bin/cloud-init", "/usr/local/bin/cloud-init", "/usr/lib/systemd/system-generators/cloud-init-generator"),
        ("cloud-init", "cloud-init-cfg-ec2"),
    ),
    Program(
        CLOUD_INIT,
        "a program that sets machines up from user data",
        ("ignition*", "afterburn*", "coreos-metadata*", "amazon-init.service", "apply-ec2-data.service", "fetch-ec2*"),
        ("/usr/bin/afterburn", "/usr/lib/dracut/modules.d/30ignition/ignition"),
        ("ignition", "afterburn", "ec2-init"),
    ),
    Program(
        OTHERS,
        "the agent of a container service, which runs what its cluster's owner says",
        ("ecs.service", "amazon-ecs*", "kubelet.service", "k3s*", "nomad.service", "rke2*"),
        ("/usr/libexec/amazon-ecs-init", "/usr/bin/kubelet", "/usr/local/bin/k3s", "/usr/bin/nomad"),
        ("ecs-init", "kubelet", "nomad"),
    ),
    Program(
        OTHERS,
        "an agent that takes orders from a server",
        (
            *("codedeploy-agent.service", "salt-minion.service", "puppet*", "chef-client*", "cfn-hup.service"),
            *("ansible-pull*", "actions.runner*", "gitlab-runner.service"),
        ),
        (
            *("/opt/codedeploy-agent", "/usr/bin/salt-minion", "/opt/puppetlabs/bin/puppet", "/usr/bin/chef-client"),
            *("/opt/aws/bin/cfn-hup", "/usr/bin/gitlab-runner"),
        ),
        (
            *("codedeploy-agent", "salt-minion", "puppet-agent", "puppet", "chef", "gitlab-runner"),
            *("aws-cfn-bootstrap"),
        ),
    ),
    Program(
        OTHERS,
        "an agent for the host of a virtual machine, which may run programs",
        ("qemu-guest-agent.service", "open-vm-tools.service", "vmtoolsd.service", "hypervkvpd*", "walinuxagent*"),
        ("/usr/sbin/qemu-ga", "/usr/bin/qemu-ga", "/usr/bin/vmtoolsd"),
        ("qemu-guest-agent", "open-vm-tools", "waagent", "google-guest-agent"),
    ),
    Program(
        OTHERS,
        "a way in over a private network or a web page",
        (
            *("tailscaled.service", "teleport.service", "cockpit*", "webmin.service", "ttyd.service", "shellinabox*"),
            *("vncserver*", "xrdp*", "cloudflared*"),
        ),
        ("/usr/sbin/tailscaled", "/usr/bin/cockpit-bridge", "/usr/bin/ttyd", "/usr/bin/cloudflared"),
        ("tailscale", "teleport", "cockpit", "webmin", "ttyd", "shellinabox", "xrdp", "cloudflared"),
    ),
    Program(
        OTHERS,
        "the hibernation agent of EC2",
        ("hibinit-agent.service", "ec2-hibinit-agent*"),
        ("/usr/bin/hibinit-agent",),
        ("ec2-hibinit-agent",),
    ),
    Program(
        UPDATES,
        "a service that updates the system by itself",
        (
            *("apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades.service", "dnf-automatic*"),
            *("dnf-makecache.timer", "packagekit.service", "snapd.service", "snapd.socket", "update-motd*"),
            *("systemd-sysupdate*", "rpm-ostreed-automatic*", "fwupd-refresh.timer"),
        ),
    ),
    Program(
        LOGGING,
        "a service that gives the log to others",
        (
            *("systemd-journal-gatewayd.socket", "systemd-journal-remote.socket", "systemd-journal-upload.service"),
            *("fluent-bit.service", "fluentd.service", "td-agent*", "vector.service", "promtail.service", "awslogsd*"),
            *("filebeat.service", "amazon-cloudwatch-agent.service"),
        ),
    ),
)
