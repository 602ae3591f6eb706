package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTables(t *testing.T) {
	r := whole()
	tests := []struct{ name, got, want string }{
		{"perf", PerfTable(r.Perf), `
| topic      | scheduler     | pods/s | spread | of upstream-pack | of null | cycle p50 / p99 µs | CPU s per 1,000 pods | API writes a pod | algorithm ms a gang |
| ---------- | ------------- | -----: | -----: | ---------------: | ------: | -----------------: | -------------------: | ---------------: | ------------------: |
| gpu-single | upstream      |    420 |   10 % |             0.51 |    0.26 |        900 / 4,000 |                 2.50 |             2.00 |                   - |
| gpu-single | upstream-pack |    820 |    5 % |             1.00 |    0.51 |        450 / 2,000 |                 1.25 |             1.75 |                   - |
| gpu-single | berth         |  1,220 |    3 % |             1.49 |    0.75 |        300 / 1,333 |                 0.83 |             1.50 |                   - |
| gpu-single | null          |  1,620 |    2 % |             1.98 |    1.00 |        225 / 1,000 |                 0.62 |             1.25 |                   - |
`},
		{"perf on clusters of several sizes", PerfTable([]PerfRow{{Topic: "a|b", Scheduler: "berth", Nodes: 500}, {Topic: "c", Scheduler: "berth", Nodes: 2500}}), `
| topic | nodes | scheduler | pods/s | spread | of upstream-pack | of null | cycle p50 / p99 µs | CPU s per 1,000 pods | API writes a pod | algorithm ms a gang |
| ----- | ----: | --------- | -----: | -----: | ---------------: | ------: | -----------------: | -------------------: | ---------------: | ------------------: |
| a\|b  |   500 | berth     |      0 |    0 % |                - |       - |              0 / 0 |                 0.00 |             0.00 |                   - |
| c     | 2,500 | berth     |      0 |    0 % |                - |       - |              0 / 0 |                 0.00 |             0.00 |                   - |
`},
		{"cycle", CycleTable(r.Cycles[:6]), `
| fill  |  nodes | scheduler     | µs a pod | of upstream-pack | of its smallest | allocations | over floor |
| ----- | -----: | ------------- | -------: | ---------------: | --------------: | ----------: | ---------: |
| empty |  2,500 | upstream-pack |    750.0 |            1.000 |               - |       1,200 |       +952 |
| empty |  2,500 | berth         |     62.5 |            0.083 |               - |         260 |        +12 |
| empty |  2,500 | floor         |     50.0 |            0.067 |               - |         248 |         +0 |
| empty | 25,000 | upstream-pack |  7,500.0 |            1.000 |           10.00 |       1,200 |       +952 |
| empty | 25,000 | berth         |     85.0 |            0.011 |            1.36 |         260 |        +12 |
| empty | 25,000 | floor         |     50.0 |            0.007 |            1.00 |         248 |         +0 |
`},
		{"gangs", GangTable(r.Gangs), `
| pods of the gang | nodes | scheduler     | ms a gang | spread | of upstream-pack | ms of the cycle |
| ---------------: | ----: | ------------- | --------: | -----: | ---------------: | --------------: |
|            1,000 | 2,500 | upstream-pack |   1,500.0 |   10 % |            1.000 |         2,000.0 |
|            1,000 | 2,500 | berth         |      30.0 |   20 % |            0.020 |           800.0 |
`},
		{"quality", QualityTable(r.Quality), `
| nodes | scheduler     | pods placed | nodes wholly free | at least upstream-pack's |
| ----: | ------------- | ----------: | ----------------: | -----------------------: |
|   500 | upstream-pack |     4,000.0 |              31.2 |           20 of 20 seeds |
|   500 | berth         |     4,001.5 |              33.5 |           18 of 20 seeds |
`},
		{"links", LinkTable(r.Links), `
| machine  | fill  | nodes | what          | µs without |  µs with | with over without |       quartiles | pairs |
| -------- | ----- | ----: | ------------- | ---------: | -------: | ----------------: | --------------: | ----: |
| hgx-h100 | half  | 2,500 | one pod       |       40.0 |     42.0 |             1.050 | 0.900 and 1.200 |   200 |
| hgx-h100 | empty | 2,500 | gang of 1,000 |   30,000.0 | 32,100.0 |             1.070 | 1.000 and 1.125 |    10 |
`},
		{"plans", PlanTable(r.Plans), `
| nodes | in use | pods of the gang | requires | answer            | p50 ms | p99 ms | longest ms | plans |
| ----: | -----: | ---------------: | -------- | ----------------- | -----: | -----: | ---------: | ----: |
| 2,500 |   50 % |              512 | -        | a place           |   1.25 |   2.50 |       3.00 |   300 |
| 2,500 |   90 % |              512 | block    | why there is none |   0.25 |   0.50 |       0.75 |   300 |
`},
		{"topology", TopologyTable(r.Topology), `
| load | contestant | of ideal bandwidth | least and greatest seed | jobs on PCIe | foreseen | GPUs in use | wait |
| ---: | ---------- | -----------------: | ----------------------: | -----------: | -------: | ----------: | ---: |
| 70 % | upstream   |              0.840 |         0.820 and 0.860 |       17.5 % |        - |        69 % | 0.12 |
| 70 % | berth      |              0.995 |         0.990 and 1.000 |        0.5 % |     98 % |        70 % | 0.02 |
`},
		{"fragmentation", FragmentationTable(r.Fragmentation), `
| load | arrivals | contestant | in one rack | racks a gang |  wait | nodes in use | ms a gang |
| ---: | -------: | ---------- | ----------: | -----------: | ----: | -----------: | --------: |
| 85 % |   20,000 | berth      |      97.8 % |  1.04 / 1.31 | 0.015 |       85.1 % |       3.2 |
| 85 % |   20,000 | first-fit  |      25.0 % |  3.50 / 5.12 | 0.015 |       85.1 % |         - |
`},
		{"scale", ScaleTable(r.Scale), `
| scenario | nodes | what            |          upstream |            berth |         null |
| -------- | ----: | --------------- | ----------------: | ---------------: | -----------: |
| start    | 2,500 | first binding s |   20.0 (0 %, n=1) | 8.00 (50 %, n=2) |            - |
| gangs    | 2,500 | pods/s          | 0.2500 (0 %, n=1) | 1,000 (0 %, n=1) | 0 (0 %, n=1) |
`},
		{"no rows", PerfTable(nil) + CycleTable(nil) + GangTable(nil) + QualityTable(nil) + LinkTable(nil) + PlanTable(nil) + TopologyTable(nil) + FragmentationTable(nil), "\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, "\n"+test.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFill(t *testing.T) {
	const place = "# A\n\n<!-- tables: a -->\nold\n<!-- /tables -->\n\n<!-- tables: b -->\n<!-- /tables -->\nend\n"
	tests := []struct {
		name, text, table, with string
		want, wrong             string
	}{
		{"replaces", place, "a", "| x |\n", "# A\n\n<!-- tables: a -->\n\n| x |\n\n<!-- /tables -->\n\n<!-- tables: b -->\n<!-- /tables -->\nend\n", ""},
		{"fills an empty place", place, "b", "| x |\n", "# A\n\n<!-- tables: a -->\nold\n<!-- /tables -->\n\n<!-- tables: b -->\n\n| x |\n\n<!-- /tables -->\nend\n", ""},
		{"empties", place, "a", "", "# A\n\n<!-- tables: a -->\n<!-- /tables -->\n\n<!-- tables: b -->\n<!-- /tables -->\nend\n", ""},
		{"takes nothing from the table", place, "b", "$1 ${name}\n", "# A\n\n<!-- tables: a -->\nold\n<!-- /tables -->\n\n<!-- tables: b -->\n\n$1 ${name}\n\n<!-- /tables -->\nend\n", ""},
		{"missing", place, "c", "", "", `there is no line "<!-- tables: c -->"`},
		{"only in a line of text", "see <!-- tables: a -->\n<!-- /tables -->\n", "a", "", "", `there is no line "<!-- tables: a -->"`},
		{"unclosed at the end", "<!-- tables: a -->\nold\n", "a", "", "", `closes "<!-- tables: a -->"`},
		{"unclosed before another", "<!-- tables: a -->\n<!-- tables: b -->\n<!-- /tables -->\n", "a", "", "", `closes "<!-- tables: a -->"`},
		{"twice", place + place, "a", "", "", `there are 2 lines "<!-- tables: a -->"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Fill(test.text, test.table, test.with)
			checkError(t, err, test.wrong)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFillTables(t *testing.T) {
	place := func(names ...string) (text string) {
		for _, name := range names {
			text += opening(name) + "\n" + closing + "\n"
		}
		return text
	}
	tests := []struct {
		name, text, wrong string
	}{
		{"all", place("scale", "fragmentation", "topology", "queue-pairs", "queues", "admissions", "plans", "quality", "links", "gangs", "cycle", "perf"), ""},
		{"one missing", place("perf", "cycle", "links", "quality", "plans", "queues", "admissions", "queue-pairs", "topology", "fragmentation", "scale"), `table "gangs"`},
		{"one that there is not", place("perf", "cycle", "gangs", "links", "quality", "plans", "queues", "admissions", "queue-pairs", "topology", "fragmentation", "scale", "speed"), `table "speed"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := whole().FillTables(test.text)
			checkError(t, err, test.wrong)
			if err != nil {
				return
			}
			for _, want := range []string{"| gpu-single |", "| empty |", "| pods of the gang |", "20 of 20 seeds", "| gang of 1,000 |", "0.820 and 0.860", "1.04 / 1.31", "why there is none"} {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in:\n%s", want, got)
				}
			}
			again, err := whole().FillTables(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("filled twice (-once +twice):\n%s", diff)
			}
			empty, err := (Report{}).FillTables(again)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.text, empty); diff != "" {
				t.Errorf("emptied again (-want +got):\n%s", diff)
			}
		})
	}
}

// checkError checks that err has wrong in it, or is nil if wrong is empty.
func checkError(t *testing.T, err error, wrong string) {
	t.Helper()
	switch {
	case wrong == "" && err != nil:
		t.Errorf("error %v", err)
	case wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)):
		t.Errorf("error %v, want one with %q", err, wrong)
	}
}
