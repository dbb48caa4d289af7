package transporttest

import (
	"math/rand/v2"
	"strings"
)

// noise returns a text of n bytes that compression hardly shortens, of characters that JSON writes as they are.
func noise(n int) string {
	const first, last = '\'', '~'
	random := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for text.Len() < n {
		if c := byte(first + random.IntN(last-first+1)); !strings.ContainsRune(`\<>`, rune(c)) {
			text.WriteByte(c)
		}
	}
	return text.String()
}
