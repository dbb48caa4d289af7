package render

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"

	"parley/delivery"
)

// groupKey names those who may share a rendering: same document, operation, variables that it
// depends on, topic, filter and audience.
func groupKey(op *graphql.OperationContext, variables map[string]any, spec *delivery.Spec) (string, error) {
	sorted, err := json.Marshal(variables) // maps are written with sorted keys
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, part := range []string{op.RawQuery, op.Operation.Name, string(sorted), spec.Topic, spec.Audience} {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	h.Write(binary.AppendUvarint(nil, uint64(spec.Filter)))
	return string(h.Sum(nil)), nil
}
