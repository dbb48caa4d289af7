package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"parley/e2e/parleytest"
)

const operationsFile = "../docs/operations.graphql"

func loadSchema(t *testing.T) *ast.Schema {
	t.Helper()
	source, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	return gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(source)})
}

func loadOperations(t *testing.T) (*ast.QueryDocument, string) {
	t.Helper()
	source, err := os.ReadFile(operationsFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := parser.ParseQuery(&ast.Source{Name: operationsFile, Input: string(source)})
	if err != nil {
		t.Fatal(err)
	}
	return doc, string(source)
}

// TestEveryOperationIsDocumented: each field of the three roots stands in docs/operations.graphql,
// which is valid by the schema.
func TestEveryOperationIsDocumented(t *testing.T) {
	schema := loadSchema(t)
	doc, source := loadOperations(t)
	if _, err := gqlparser.LoadQueryWithRules(schema, source, nil); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, op := range doc.Operations {
		for _, s := range op.SelectionSet {
			used[string(op.Operation)+"."+s.(*ast.Field).Name] = true
		}
	}
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		for _, f := range root.Fields {
			name := strings.ToLower(root.Name) + "." + f.Name
			if !strings.HasPrefix(f.Name, "__") && !used[name] {
				t.Errorf("%s isn't in %s", name, operationsFile)
			}
		}
	}
}

// TestEverythingIsDescribed: descriptions are what codegen and the playground show.
func TestEverythingIsDescribed(t *testing.T) {
	described := func(what, description string) {
		if strings.TrimSpace(description) == "" {
			t.Errorf("%s has no description", what)
		}
	}
	for name, def := range loadSchema(t).Types {
		if def.BuiltIn {
			continue
		}
		described(name, def.Description)
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			described(name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				described(name+"."+f.Name+"."+a.Name, a.Description)
			}
		}
		for _, v := range def.EnumValues {
			described(name+"."+v.Name, v.Description)
		}
	}
}

// TestEveryOperationRuns runs docs/operations.graphql from top to bottom, over each transport, with
// things of its own.
func TestEveryOperationRuns(t *testing.T) {
	node := parleytest.Start(t, nil)
	doc, source := loadOperations(t)
	t.Run("POST", func(t *testing.T) {
		runOperations(t, node, doc, source, "post", func(t *testing.T, c *parleytest.Client, op parleytest.Operation) parleytest.Result {
			result, err := c.Do(t.Context(), op)
			if err != nil {
				t.Fatal(err)
			}
			return result
		})
	})
	for name, subscribe := range transports {
		t.Run(name, func(t *testing.T) {
			runOperations(t, node, doc, source, strings.ToLower(name), func(t *testing.T, c *parleytest.Client, op parleytest.Operation) parleytest.Result {
				return parleytest.MustSubscribe(t, subscribe, c, op).Next(t).Result
			})
		})
	}
}

type runner func(*testing.T, *parleytest.Client, parleytest.Operation) parleytest.Result

func runOperations(t *testing.T, node *parleytest.Node, doc *ast.QueryDocument, source, prefix string, run runner) {
	ada := parleytest.SignIn(t, node, prefix+"-ada")
	room := ada.CreateRoom(t, "Tea")
	sent := ada.MustSend(t, room, "Hello")
	names := strings.NewReplacer(
		"{general}", "r_general", "{room}", room, "{user}", prefix+"-bob",
		"{message}", sent.Text("sendMessage", "message", "id"), "{cursor}", sent.Text("sendMessage", "message", "cursor"),
		"{token}", ada.Token,
	)
	ada.Must(t, `mutation { joinRoom(input: {roomId: "r_general"}) { room { id } } }`, nil)
	for _, op := range doc.Operations {
		t.Run(op.Name, func(t *testing.T) {
			request := parleytest.Operation{Query: source, OperationName: op.Name, Variables: exampleVariables(t, op, names)}
			if op.Name == "RefreshSession" && prefix != "websocket" {
				if code := run(t, ada, request).Code(); code != "BAD_INPUT" {
					t.Errorf("a refresh where there is no connection answers %q", code)
				}
				return
			}
			if op.Operation != ast.Subscription {
				check(t, run(t, ada, request))
				return
			}
			if prefix == "post" {
				if result := run(t, ada, request); len(result.Errors) == 0 {
					t.Errorf("a subscription over plain POST answered %s", result.Data)
				}
				return
			}
			runSubscription(t, ada, room, op.Name, request)
		})
	}
}

func runSubscription(t *testing.T, ada *parleytest.Client, room, name string, request parleytest.Operation) {
	for transport, subscribe := range transports {
		t.Run(transport, func(t *testing.T) {
			if name == "UserPresence" {
				request.Variables["userIds"] = []string{ada.User}
			}
			stream := parleytest.MustSubscribe(t, subscribe, ada, request)
			if name == "MessageAdded" || name == "RoomEvents" {
				stream.Position(t)
				ada.MustSend(t, room, "for "+name)
			}
			check(t, stream.Next(t).Result)
		})
	}
}

func check(t *testing.T, result parleytest.Result) {
	t.Helper()
	if len(result.Errors) > 0 || len(result.Data) == 0 {
		t.Errorf("errors %+v, data %s", result.Errors, result.Data)
	}
}

// exampleVariables reads the JSON in the comment above an operation.
func exampleVariables(t *testing.T, op *ast.OperationDefinition, names *strings.Replacer) map[string]any {
	t.Helper()
	if op.Comment == nil || len(op.Comment.List) == 0 {
		t.Fatalf("%s has no example variables", op.Name)
	}
	last := op.Comment.List[len(op.Comment.List)-1]
	var variables map[string]any
	text := names.Replace(strings.TrimPrefix(strings.TrimSpace(last.Value), "#"))
	if err := json.Unmarshal([]byte(text), &variables); err != nil {
		t.Fatalf("%s: %v in %s", op.Name, err, text)
	}
	return variables
}
