package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQueueTables(t *testing.T) {
	rows := []QueueRow{
		{Queues: 1000, Nodes: 2500, Pending: 10_000, Pods: 4, FirstSeconds: 1.25, CompleteSeconds: 2.5, PerSecond: 1234.4, LeastPerSecond: 999.6,
			Seconds: 20, ProcessorUs: 1500, Choices: 7, UsP50: 0.25, UsP99: 12.5, UsMax: 345},
		{Nodes: 2500, Pending: 10_000, Pods: 4, FirstSeconds: 1, CompleteSeconds: 1, PerSecond: 2000, LeastPerSecond: 1000, ProcessorUs: 1000},
	}
	want := `
| queues | nodes | gangs that wait | first placed, s | all known, s | gangs/s | in the worst second | processor µs a gang | choice p50 / p99 / longest µs |
| -----: | ----: | --------------: | --------------: | -----------: | ------: | ------------------: | ------------------: | ----------------------------: |
|  1,000 | 2,500 |          10,000 |             1.2 |          2.5 |   1,234 |               1,000 |               1,500 |              0.2 / 12.5 / 345 |
|      - | 2,500 |          10,000 |             1.0 |          1.0 |   2,000 |               1,000 |               1,000 |                             - |
`
	if diff := cmp.Diff(want, "\n"+QueueTable(rows)); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	admissions := []AdmissionRow{
		{Queues: 1000, Nodes: 2500, Pending: 10_000, Pods: 4, PerSecond: 1234.4, LeastPerSecond: 999.6, Gangs: 24_000, Seconds: 20},
		{Nodes: 2500, Pending: 10_000, Pods: 4, PerSecond: 300, LeastPerSecond: 200, Gangs: 6000, Seconds: 20},
	}
	want = `
| queues | nodes | gangs that wait | pods a gang | gangs/s | in the worst second |  gangs |
| -----: | ----: | --------------: | ----------: | ------: | ------------------: | -----: |
|  1,000 | 2,500 |          10,000 |           4 |   1,234 |               1,000 | 24,000 |
|      - | 2,500 |          10,000 |           4 |     300 |                 200 |  6,000 |
`
	if diff := cmp.Diff(want, "\n"+AdmissionTable(admissions)); diff != "" {
		t.Errorf("admissions (-want +got):\n%s", diff)
	}
	pairs := []QueuePairRow{{Queues: 1000, Nodes: 2500, Fill: "half", InTurn: InTurn{NsWithout: 50_000, NsWith: 60_000, Ratio: 1.2, Lower: 1.1, Upper: 1.3, Pairs: 300}}}
	want = `
| queues | fill | nodes | µs without | µs with | with over without |       quartiles | pairs |
| -----: | ---- | ----: | ---------: | ------: | ----------------: | --------------: | ----: |
|  1,000 | half | 2,500 |       50.0 |    60.0 |             1.200 | 1.100 and 1.300 |   300 |
`
	if diff := cmp.Diff(want, "\n"+QueuePairTable(pairs)); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
}
