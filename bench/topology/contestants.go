package main

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/berth-dev/berth/bench/schedulers"
	"github.com/berth-dev/berth/pkg/plugins/devicetopology"
)

// contestant is a scheduler, and who picks the devices of its pods.
type contestant struct {
	name      string
	scheduler string
	// picker is that of Berth's configuration; "" for a scheduler that knows of none.
	picker string
}

// contestants take part, in this order.
var contestants = []contestant{
	{name: schedulers.Upstream, scheduler: schedulers.Upstream},
	{name: schedulers.UpstreamPack, scheduler: schedulers.UpstreamPack},
	{name: schedulers.Berth, scheduler: schedulers.Berth, picker: devicetopology.DevicePlugin},
	{name: "berth-exact", scheduler: schedulers.Berth, picker: devicetopology.Scheduler},
}

// exact reports whether a pod gets the devices that the scheduler has taken.
func (c contestant) exact() bool { return c.picker == devicetopology.Scheduler }

// told reports whether the scheduler is told how devices are linked.
func (c contestant) told() bool { return c.picker != "" }

// configure returns the change of a profile that makes it the contestant's. Sizes weigh
// how many devices pods ask for; without any, Berth's defaults do.
func (c contestant) configure(sizes map[int32]int32) (func(*schedulerconfig.KubeSchedulerProfile), error) {
	if !c.told() {
		return func(*schedulerconfig.KubeSchedulerProfile) {}, nil
	}
	raw, err := json.Marshal(devicetopology.Args{Picker: c.picker, Sizes: sizes})
	if err != nil {
		return nil, fmt.Errorf("writing the arguments of %s: %w", devicetopology.Name, err)
	}
	return func(profile *schedulerconfig.KubeSchedulerProfile) {
		profile.PluginConfig = append(profile.PluginConfig, schedulerconfig.PluginConfig{
			Name: devicetopology.Name, Args: &runtime.Unknown{Raw: raw, ContentType: runtime.ContentTypeJSON},
		})
	}, nil
}
