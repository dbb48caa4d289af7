package document

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Limits is the table of what one operation may ask; a limit of 0 bounds nothing. The tags make a
// setting of each (kong), with the default that servers run with.
type Limits struct {
	Bytes      int `name:"max-document-bytes" env:"PARLEY_MAX_DOCUMENT_BYTES" default:"65536" help:"Bytes of one GraphQL document."`
	Tokens     int `name:"max-query-tokens" env:"PARLEY_MAX_QUERY_TOKENS" default:"5000" help:"Tokens of one GraphQL document."`
	Operations int `name:"max-document-operations" env:"PARLEY_MAX_DOCUMENT_OPERATIONS" default:"50" help:"Operations in one document."`
	Fragments  int `name:"max-fragments" env:"PARLEY_MAX_FRAGMENTS" default:"50" help:"Fragments in one document."`
	Depth      int `name:"max-depth" env:"PARLEY_MAX_DEPTH" default:"20" help:"Fields and inline fragments within one another, fragments expanded; also lists and objects within one another in a value."`
	Fields     int `name:"max-fields" env:"PARLEY_MAX_FIELDS" default:"1000" help:"Fields, spreads and inline fragments of one operation, fragments expanded."`
	RootFields int `name:"max-root-fields" env:"PARLEY_MAX_ROOT_FIELDS" default:"20" help:"Fields at the root of one operation."`
	Aliases    int `name:"max-aliases" env:"PARLEY_MAX_ALIASES" default:"50" help:"Aliases of one operation, fragments expanded."`
	Repeats    int `name:"max-repeated-fields" env:"PARLEY_MAX_REPEATED_FIELDS" default:"50" help:"How often one name, or a fragment, may stand in one selection of an operation."`
	Directives int `name:"max-directives" env:"PARLEY_MAX_DIRECTIVES" default:"50" help:"Directives of one operation, fragments expanded."`
	Arguments  int `name:"max-arguments" env:"PARLEY_MAX_ARGUMENTS" default:"20" help:"Arguments of one field or directive."`

	Variables      int `name:"max-variables" env:"PARLEY_MAX_VARIABLES" default:"50" help:"Variables of one operation."`
	VariableValues int `name:"max-variable-values" env:"PARLEY_MAX_VARIABLE_VALUES" default:"5000" help:"Values in the variables of one request, those within lists and objects counted."`
	List           int `name:"max-list" env:"PARLEY_MAX_LIST" default:"100" help:"Items of a list in an argument, such as ids; also fields of an object that is written in a document."`

	Complexity      int `name:"max-complexity" env:"PARLEY_MAX_COMPLEXITY" default:"10000" help:"Complexity of a query or mutation: fields that it may resolve, times the items of the lists they are in."`
	EventComplexity int `name:"max-event-complexity" env:"PARLEY_MAX_EVENT_COMPLEXITY" default:"500" help:"Complexity of each event of a subscription."`
	AudienceCost    int `name:"max-audience-cost" env:"PARLEY_MAX_AUDIENCE_COST" default:"250000" help:"Complexity of each event of a subscription that depends on its viewer, times the members of the room."`
	ResponseBytes   int `name:"max-response" env:"PARLEY_MAX_RESPONSE" default:"4194304" help:"Bytes of one response."`
}

// Codes of the schema's enum ErrorCode.
const (
	codeBadInput      = "BAD_INPUT"
	codeForbidden     = "FORBIDDEN"
	codeLimitExceeded = "LIMIT_EXCEEDED"
)

func refusal(code string, at *ast.Position, format string, args ...any) *gqlerror.Error {
	err := &gqlerror.Error{Message: fmt.Sprintf(format, args...), Extensions: map[string]any{"code": code}}
	if at != nil {
		err.Locations = []gqlerror.Location{{Line: at.Line, Column: at.Column}}
	}
	return err
}

// exceeded refuses more of something than a limit allows; nil while n is within it.
func exceeded(n, limit int, at *ast.Position, what string) *gqlerror.Error {
	if limit == 0 || n <= limit {
		return nil
	}
	return refusal(codeLimitExceeded, at, "too many %s: at most %d", what, limit)
}

// inField names the input at fault.
func inField(name string, err *gqlerror.Error) *gqlerror.Error {
	if err != nil {
		err.Extensions["field"] = name
	}
	return err
}

// firstOf returns the first refusal there is.
func firstOf(errs ...*gqlerror.Error) *gqlerror.Error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
