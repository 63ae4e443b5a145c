// Makes the mistake that its setting `mistake` names, in its first batch.
package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"time"

	"example.com/mistaken/contract"
)

// Mistaken makes a mistake.
type Mistaken struct {
	mistake string
	numbers map[string]int
	next    *Mistaken
}

func init() { contract.Export(&Mistaken{}) }

func main() {}

func (d *Mistaken) Describe() contract.Metadata {
	return contract.Metadata{
		Name:        "mistaken",
		Version:     "0.1.0",
		Description: "Makes mistakes.",
		Settings: []contract.SettingDescription{{
			Name: "mistake", Kind: contract.Text, Default: contract.Default("none"), Doc: "Which mistake to make.",
		}},
		Ordering: contract.Any,
	}
}

func (d *Mistaken) Configure(settings contract.Settings) ([]contract.ColumnRequest, error) {
	d.mistake = settings["mistake"]
	switch d.mistake {
	case "refused":
		return nil, contract.InvalidSetting("mistake", "anything else would be right")
	case "columns":
		return []contract.ColumnRequest{
			{Name: "note", Kind: contract.TextColumn, Required: true},
			{Name: "risk", Kind: contract.NumberColumn, Required: true},
			{Name: "nowhere", Kind: contract.TextColumn},
		}, nil
	}
	return nil, nil
}

func deeper(depth int) int { return deeper(depth+1) + depth }

func (d *Mistaken) Classify(batch *contract.Batch) ([]contract.Anomaly, error) {
	var anomalies []contract.Anomaly
	numbers, five, zero := []int{1, 2, 3}, len(d.mistake)-len(d.mistake)+5, 0
	switch d.mistake {
	case "columns":
		for row := range batch.Amounts {
			number, absent := "empty", "there"
			if risk := batch.Columns[1].Numbers[row]; !math.IsNaN(risk) {
				number = fmt.Sprint(risk)
			}
			if batch.Columns[2].Codes == nil {
				absent = "absent"
			}
			reason := fmt.Sprintf("%s, %s, %s", batch.Columns[0].Text(row), number, absent)
			anomalies = append(anomalies, contract.Anomaly{Row: uint32(row), Score: 1, Reason: reason})
		}
	case "null-pointer":
		fmt.Println(d.next.mistake)
	case "null-map":
		d.numbers["one"] = 1
	case "array-index":
		fmt.Println(numbers[five])
	case "divide-by-zero":
		fmt.Println(five / zero)
	case "panic":
		panic("this should never happen")
	case "printing":
		fmt.Print("printed: ", 1)
		fmt.Println(" and ü")
		fmt.Fprintln(os.Stderr, "to stderr")
		contract.Log(contract.Info, "logged")
	case "time":
		before := time.Now()
		time.Sleep(time.Hour)
		fmt.Println(before.UTC(), time.Since(before) >= time.Hour)
	case "random":
		bytes := make([]byte, 2)
		_, err := rand.Read(bytes)
		fmt.Println(bytes, err)
	case "file":
		_, err := os.ReadFile("/etc/passwd")
		fmt.Println(err)
	case "network":
		_, err := net.Dial("tcp", "127.0.0.1:80")
		fmt.Println(err)
	case "environment":
		fmt.Println(len(os.Environ()), os.Args)
	case "goroutine":
		answer := make(chan int)
		go func() { answer <- 1 }()
		fmt.Println(<-answer)
	case "deadlock":
		<-make(chan int)
	case "endless-loop":
		for five > 0 {
		}
	case "endless-recursion":
		fmt.Println(deeper(0))
	case "too-much-memory":
		var all [][]byte
		for {
			all = append(all, make([]byte, 1<<20))
		}
	case "exit":
		os.Exit(0)
	case "internal":
		return nil, errors.New("no idea")
	case "reason-unprintable":
		anomalies = append(anomalies, contract.Anomaly{Row: 0, Score: 1, Reason: "\x1b[2J\n\xff ü\u202e"})
	}
	return anomalies, nil
}

func (d *Mistaken) Finish() error { return nil }
