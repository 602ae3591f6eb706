package operators

import (
	"fmt"
	"path"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// KEDAScaler returns a program that asks KEDA's Prometheus scaler once: its argument is a trigger
// of a ScaledObject as JSON. KEDA's operator does not run: what it needs of Berth's metrics is
// one number, which this scaler takes.
func KEDAScaler() (localcluster.Release, error) {
	const name = "testdata/keda/main.go"
	program, err := testdata.ReadFile(name)
	if err != nil {
		return localcluster.Release{}, fmt.Errorf("reading the program around KEDA's scaler: %w", err)
	}
	const command = "cmd/prometheus-scaler"
	return localcluster.Release{
		Name: "keda-scaler", Module: "github.com/kedacore/keda/v2", Version: "v2.21.0", Package: "./" + command,
		Files: map[string]string{path.Join(command, path.Base(name)): string(program)},
	}, nil
}
