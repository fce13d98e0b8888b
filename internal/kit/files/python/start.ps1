# Connects {{.Thing}} to {{.Endpoint}} and runs the publish/subscribe sample.
# Everything it needs but the Python package awsiotsdk is in this kit. Run it with
#   powershell -ExecutionPolicy Bypass -File start.ps1
Set-Location $PSScriptRoot

if (-not (Get-Command python -ErrorAction SilentlyContinue)) {
  Write-Output "ERROR: python must be installed."
  exit 1
}

python -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('awsiot') is None)"
if ($LASTEXITCODE -ne 0) {
  Write-Output "Installing AWS SDK..."
  python -m pip install awsiotsdk
  if ($LASTEXITCODE -ne 0) {
    Write-Output "ERROR: Failed to install SDK."
    exit 1
  }
}

Write-Output "Running pub/sub sample application..."
python aws-iot-device-sdk-python-v2/samples/pubsub.py --endpoint {{.Endpoint}}{{if ne .Port 8883}} --port {{.Port}}{{end}} --ca_file root-CA.crt --cert {{.FileThing}}.cert.pem --key {{.FileThing}}.private.key --client_id basicPubSub --topic sdk/test/python --count 0
