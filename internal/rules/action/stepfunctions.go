package action

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/uuid"

	"thingd/internal/aws/iot"
)

// compileStepFunctions starts an execution of a state machine with the payload
// as its input (states:StartExecution). A prefix makes the name prefix and UUID.
func compileStepFunctions(c *compiler, spec *iot.Action) prepare {
	a := spec.StepFunctions
	if a == nil {
		return nil
	}
	machine, prefix := c.text("stateMachineName", a.StateMachineName), c.optional("executionNamePrefix", a.ExecutionNamePrefix)
	role, t := c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		name := r.text(machine)
		r.resource = name
		r.detail("StateMachine", name)
		start := &sfn.StartExecutionInput{
			StateMachineArn: aws.String(t.Scope.Of("states", "stateMachine:"+name)), Input: aws.String(string(r.Payload)),
		}
		// A name also keeps a second try from starting a second execution.
		start.Name = aws.String(r.text(prefix) + uuid.NewString())
		return func(ctx context.Context) error {
			config, err := t.sdk(ctx, "states", role)
			if err != nil {
				return err
			}
			_, err = sfn.NewFromConfig(config).StartExecution(ctx, start)
			return t.outcome(role, err)
		}
	}
}
