# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154
#
# smartctl.sh - smartmontools finds a healthy disk

check "smartctl -a" smartctl -a "$ctrl"
smartctl -a "$ctrl" >/run/smartctl
same "smartctl: serial number" \
	"$(field "Serial Number" </run/smartctl)" "$SERIAL"
same "smartctl: health" "$(field \
	"SMART overall-health self-assessment test result" </run/smartctl)" \
	PASSED
same "smartctl: the controller is as nvme-cli has it" \
	"$(field "Model Number" </run/smartctl)" \
	"$(nvme id-ctrl "$ctrl" | field mn)"
