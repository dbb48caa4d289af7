package render

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"

	"parley/delivery"
)

// kinKey names those who may share a rendering but for the audience: same document, operation,
// variables that it depends on, topic and filter.
func kinKey(op *graphql.OperationContext, variables map[string]any, spec *delivery.Spec) (string, error) {
	sorted, err := json.Marshal(variables) // maps are written with sorted keys
	if err != nil {
		return "", err
	}
	return digest(op.RawQuery, op.Operation.Name, string(sorted), spec.Topic, string(binary.AppendUvarint(nil, uint64(spec.Filter)))), nil
}

// groupKey names those who do share one.
func groupKey(kin, audience string) string { return digest(kin, audience) }

func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return string(h.Sum(nil))
}
