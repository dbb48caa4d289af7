// Package document judges GraphQL documents before they cost anything: how large they and their
// variables may be, what they may ask for, and which are trusted, if only such are served. What it
// refuses is refused on every transport, with one code. It knows the schema, and nothing of rooms.
package document

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// Gate is a gqlgen extension that refuses operations beyond the [Limits]: by their text before they
// are validated, which takes time by the square of some counts, and by their complexity before they
// are executed. Its errors carry the code LIMIT_EXCEEDED, or BAD_INPUT where nothing could be made
// of the document.
type Gate struct {
	schema  *ast.Schema
	limits  Limits
	cache   *Cache
	trusted Trusted
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
	graphql.OperationContextMutator
} = (*Gate)(nil)

// NewGate returns a gate for a schema. With trusted documents no others pass; nil lets every document
// be judged on its own.
func NewGate(schema *ast.Schema, limits Limits, cache *Cache, trusted Trusted) *Gate {
	return &Gate{schema: schema, limits: limits, cache: cache, trusted: trusted}
}

// Cache returns the documents that have passed, for the executor.
func (g *Gate) Cache() *Cache { return g.cache }

// ExtensionName implements graphql.HandlerExtension.
func (g *Gate) ExtensionName() string { return "DocumentGate" }

// Validate implements graphql.HandlerExtension.
func (g *Gate) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters implements graphql.OperationParameterMutator.
func (g *Gate) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	find := needText
	if g.trusted != nil {
		find = g.trusted.find
	}
	if err := firstOf(find(params), g.limits.variables(params.Variables)); err != nil {
		return err
	}
	if _, passed := g.cache.Get(ctx, params.Query); passed {
		return nil
	}
	return g.limits.text(params.Query)
}

// text judges a document without validating it. One that can't be parsed is left to the executor,
// which says so.
func (l *Limits) text(query string) *gqlerror.Error {
	if l.Bytes > 0 && len(query) > l.Bytes {
		return refusal(codeLimitExceeded, nil, "the document is too long: at most %d bytes", l.Bytes)
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, l.Tokens)
	if err != nil {
		if strings.Contains(err.Error(), "exceeded token limit") {
			return exceeded(l.Tokens+1, l.Tokens, nil, "tokens in the document")
		}
		return nil
	}
	return l.measure(doc)
}

// MutateOperationContext implements graphql.OperationContextMutator.
func (g *Gate) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if err := g.limits.lists(g.schema, op); err != nil {
		return err
	}
	at, n := op.Operation.Position, complexity(g.schema, op)
	if op.Operation.Operation == ast.Subscription {
		return tooComplex(n, g.limits.EventComplexity, at, "each event of the subscription")
	}
	return tooComplex(n, g.limits.Complexity, at, "the operation")
}

// Afford refuses a subscription whose events cost too much, rendered for each of so many viewers.
func (g *Gate) Afford(op *graphql.OperationContext, viewers int) error {
	n := complexity(g.schema, op)
	if limit := g.limits.AudienceCost; limit > 0 && n > limit/viewers {
		return refusal(codeLimitExceeded, op.Operation.Position,
			"each event would be rendered for each of %d members, at a complexity of %d: at most %d in all; leave out what depends on the viewer",
			viewers, n, limit)
	}
	return nil
}

func tooComplex(n, limit int, at *ast.Position, what string) *gqlerror.Error {
	if limit == 0 || n <= limit {
		return nil
	}
	return refusal(codeLimitExceeded, at, "%s is too complex: %d, at most %d", what, n, limit)
}

// Rules are the validator's, which suggest names of the schema to those who mistype them only where
// that is wanted. (gqlgen's own switch is for two of the five that do.)
func Rules(suggest bool) *rules.Rules {
	all := rules.NewDefaultRules()
	if !suggest {
		for name, quiet := range map[string]core.Rule{
			rules.FieldsOnCorrectTypeRule.Name: rules.FieldsOnCorrectTypeRuleWithoutSuggestions,
			rules.KnownArgumentNamesRule.Name:  rules.KnownArgumentNamesRuleWithoutSuggestions,
			rules.KnownTypeNamesRule.Name:      rules.KnownTypeNamesRuleWithoutSuggestions,
			rules.ScalarLeafsRule.Name:         rules.ScalarLeafsRuleWithoutSuggestions,
			rules.ValuesOfCorrectTypeRule.Name: rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
		} {
			all.ReplaceRule(name, quiet.RuleFunc)
		}
	}
	return all
}
