//go:build !wasm

package contract

import "fmt"

// Outside the host, for `go test`.
func log(_ Level, message string) { fmt.Println(message) }

// Export does nothing outside the host.
func Export(Detector) {}
