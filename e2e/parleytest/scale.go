// Package parleytest runs Parley as its users do: as processes, spoken to over the wire.
package parleytest

import "os"

// Scale returns full under `make prove` (PARLEY_PROVE=1) and reduced otherwise.
func Scale(reduced, full int) int {
	if os.Getenv("PARLEY_PROVE") == "1" {
		return full
	}
	return reduced
}
