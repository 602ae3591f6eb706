package preempt

import (
	"github.com/berth-dev/berth/pkg/core/pack"
	"github.com/berth-dev/berth/pkg/core/plan"
)

// measure is the amount by which a gang is measured, to bound what is needed from below:
// devices of a kind, or else CPU.
type measure struct {
	kind pack.DeviceKind
	cpu  bool
	most int64
}

// mostMeasured bounds what a gang is measured by; one of more is not measured.
const mostMeasured = 1 << 40

// measureOf returns how to measure pods, and how much they need.
func measureOf(wanted []plan.Alike) (by measure, need int64) {
	var devices [1 << 8]int64
	var cpu int64
	for _, w := range wanted {
		devices[w.Request.Kind] = sum(devices[w.Request.Kind], mul(w.Request.Devices, w.Wanted))
		cpu = sum(cpu, mul(w.Request.CPU, w.Wanted))
	}
	for kind := range devices {
		if kind != int(pack.NoDevice) && devices[kind] > need {
			by.kind, need = pack.DeviceKind(kind), devices[kind]
		}
	}
	if need == 0 {
		by.cpu, need = true, cpu
	}
	if need > mostMeasured {
		return measure{}, 0
	}
	by.most = need
	return by, need
}

// mul returns a product of amounts, at least 0 and at most what is measured and one.
func mul[T int32 | int64](amount T, n int) int64 {
	if amount <= 0 || n <= 0 {
		return 0
	}
	if int64(amount) > mostMeasured/int64(n) {
		return mostMeasured + 1
	}
	return int64(amount) * int64(n)
}

// of returns how much is free, at most what is needed.
func (by measure) of(free pack.Amounts) int64 {
	switch {
	case by.cpu:
		return min(max(free.CPU, 0), by.most)
	case by.kind == pack.NoDevice || free.Kind != by.kind:
		return 0
	case free.Class != pack.NoClass:
		free.Devices = min(free.Devices, int32(free.Mask.Len()))
	}
	return min(int64(max(free.Devices, 0)), by.most)
}

// gain returns how much more is free at most when a member has gone.
func (by measure) gain(m *Member) int64 {
	switch {
	case by.cpu:
		return min(max(m.Request.CPU, 0), by.most)
	case by.kind == pack.NoDevice || m.Request.Kind != by.kind:
		return 0
	}
	return min(int64(max(m.Request.Devices, int32(m.Held.Len()))), by.most)
}
