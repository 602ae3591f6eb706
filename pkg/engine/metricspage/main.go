// Command metricspage writes docs/metrics.md, and what the tests of dashboards and alerts read,
// from the definitions of the metrics. make generate runs it in pkg/engine/measure.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/berth-dev/berth/pkg/engine/catalog"
	"github.com/berth-dev/berth/pkg/engine/measure"
)

func main() {
	for _, file := range []struct {
		name  string
		write func(io.Writer, []catalog.Metric) error
	}{
		{"../../../docs/metrics.md", catalog.Write},
		{"../../../test/monitoring/testdata/served.json", catalog.WriteJSON},
	} {
		var content bytes.Buffer
		err := file.write(&content, measure.Metrics())
		if err == nil {
			err = os.WriteFile(file.name, content.Bytes(), 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "writing %s: %v\n", file.name, err)
			os.Exit(1)
		}
	}
}
