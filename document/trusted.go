package document

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

// Trusted are the only documents that are served, by their ids.
type Trusted map[string]string

// hashPrefix may stand before an id that is the SHA-256 of its document (GraphQL over HTTP,
// Persisted Documents).
const hashPrefix = "sha256:"

// LoadTrusted reads documents from a JSON file, an object of ids and documents, as GraphQL Code
// Generator writes it (persistedDocuments). Each is checked by the schema and the limits, and against
// its id, if that is a SHA-256; the error names those that fail.
func LoadTrusted(path string, schema *ast.Schema, limits Limits) (Trusted, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("trusted documents: %w", err)
	}
	var byID map[string]string
	if err := json.Unmarshal(text, &byID); err != nil {
		return nil, fmt.Errorf("trusted documents: %s must be a JSON object of ids and documents: %w", path, err)
	}
	trusted, errs := make(Trusted, len(byID)), []error(nil)
	for id, text := range byID {
		if err := checkTrusted(id, text, schema, &limits); err != nil {
			errs = append(errs, fmt.Errorf("trusted documents: %.100q in %s: %w", id, path, err))
		}
		if other, taken := trusted[bare(id)]; taken && other != text {
			errs = append(errs, fmt.Errorf("trusted documents: %.100q in %s is the id of two documents, once with %q before it", bare(id), path, hashPrefix))
		}
		trusted[bare(id)] = text
	}
	if len(byID) == 0 {
		errs = append(errs, fmt.Errorf("trusted documents: there is none in %s", path))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return trusted, errors.Join(errs...)
}

func checkTrusted(id, text string, schema *ast.Schema, limits *Limits) error {
	if hash, ok := strings.CutPrefix(id, hashPrefix); ok && !strings.EqualFold(hash, hashOf(text)) {
		return errors.New("the id isn't the document's SHA-256")
	}
	doc, err := parser.ParseQuery(&ast.Source{Name: "document", Input: text})
	if err != nil {
		return err
	}
	if len(doc.Operations) == 0 {
		return errors.New("it has no operation")
	}
	if err := limits.text(text); err != nil {
		return err
	}
	if errs := validator.ValidateWithRules(schema, doc, Rules(true)); len(errs) > 0 {
		return errs
	}
	return nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func bare(id string) string { return strings.TrimPrefix(id, hashPrefix) }

// idExtension is where transports put the documentId of a request.
const idExtension = "documentId"

// idOf returns the id of the document that a request names, as GraphQL over HTTP has it, or as
// Apollo's and urql's stock clients do: the SHA-256 in an extension.
func idOf(params *graphql.RawParams) (id string, ok bool) {
	if id, ok = params.Extensions[idExtension].(string); ok {
		return bare(id), true
	}
	persisted, _ := params.Extensions["persistedQuery"].(map[string]any)
	id, ok = persisted["sha256Hash"].(string)
	return id, ok
}

// find puts the text of the document that is named into the request. Any other text is refused.
func (t Trusted) find(params *graphql.RawParams) *gqlerror.Error {
	id, named := idOf(params)
	text, known := t[id]
	switch {
	case !named:
		return refusal(codeForbidden, nil, "only trusted documents are served here: name one by documentId")
	case !known:
		return refusal(codeBadInput, nil, "no document with this id is trusted here")
	case params.Query != "" && params.Query != text:
		return refusal(codeForbidden, nil, "the query isn't the document with this id")
	}
	params.Query = text
	return nil
}

// needText refuses a request without text where no documents are kept. Stock clients understand the
// words, and send the text.
func needText(params *graphql.RawParams) *gqlerror.Error {
	if _, named := idOf(params); named && params.Query == "" {
		return refusal(codeBadInput, nil, "PersistedQueryNotSupported")
	}
	return nil
}
