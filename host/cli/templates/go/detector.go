// Flags round amounts: people who make up transactions tend to make up round ones.
package main

import (
	"fmt"

	"example.com/my-detector/contract"
)

// MyDetector is the detector with its setting, in hundredths, and whatever it learns in a run.
type MyDetector struct {
	minimumCents int64
}

func init() { contract.Export(&MyDetector{}) }

// A detector has no main program; its functions are called.
func main() {}

func (d *MyDetector) Describe() contract.Metadata {
	return contract.Metadata{
		Name:        "my-detector",
		Version:     "0.1.0",
		Description: "Flags round amounts from `minimum` up. The score is the amount.",
		Settings: []contract.SettingDescription{{
			Name:    "minimum",
			Kind:    contract.Decimal,
			Default: contract.Default("10"),
			Doc:     "Round amounts from this one up are anomalous.",
		}},
		// Each row is judged by itself. See the WIT for the other two orderings.
		Ordering: contract.Any,
	}
}

func (d *MyDetector) Configure(settings contract.Settings) ([]contract.ColumnRequest, error) {
	cents, err := settings.Cents("minimum")
	if err == nil && cents < 0 {
		err = contract.InvalidSetting("minimum", "it must not be negative")
	}
	d.minimumCents = cents
	return nil, err
}

func (d *MyDetector) Classify(batch *contract.Batch) ([]contract.Anomaly, error) {
	var anomalies []contract.Anomaly
	for row, cents := range batch.Amounts {
		if cents >= d.minimumCents && cents%100 == 0 {
			anomalies = append(anomalies, contract.Anomaly{
				Row:    uint32(row),
				Score:  float64(cents) / 100,
				Reason: fmt.Sprintf("%d.00 is a round amount", cents/100),
			})
		}
	}
	return anomalies, nil
}

func (d *MyDetector) Finish() error { return nil }
