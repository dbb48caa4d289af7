package storetest

import (
	"flag"
	"os"
	"strconv"

	"pgregory.net/rapid"
)

// ProveVariable is the environment variable that chooses the size of the suite. Unset, counts are
// reduced for `make test`; "1" runs them in full, for `make prove`. The flag -rapid.checks and the
// variable RAPID_CHECKS, where given, set the count of random cases in either size.
const ProveVariable = "PARLEY_PROVE"

// scaled returns the reduced or the full count, as the environment asks.
func scaled(reduced, full int) int {
	if os.Getenv(ProveVariable) == "1" {
		return full
	}
	return reduced
}

const checksFlag = "rapid.checks"

// property checks prop on as many random cases as the environment asks for.
func property(t rapid.TB, reduced, full int, prop func(*rapid.T)) {
	t.Helper()
	checks := flag.Lookup(checksFlag)
	if !chosen(checksFlag) {
		before := checks.Value.String()
		if err := checks.Value.Set(strconv.Itoa(scaled(reduced, full))); err != nil {
			t.Fatalf("%s: %v", checksFlag, err)
		}
		defer func() { _ = checks.Value.Set(before) }() // what it said before, it takes again
	}
	rapid.Check(t, prop)
}

// chosen reports whether whoever runs the tests has set the flag.
func chosen(name string) bool {
	_, found := os.LookupEnv("RAPID_CHECKS")
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}
