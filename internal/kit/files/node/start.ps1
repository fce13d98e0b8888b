# Connects {{.Thing}} to {{.Endpoint}} and runs the publish/subscribe sample.
# Everything it needs but the Node package aws-iot-device-sdk-v2 is in this kit.
# Run it with
#   powershell -ExecutionPolicy Bypass -File start.ps1
Set-Location $PSScriptRoot

if (-not (Get-Command node -ErrorAction SilentlyContinue)) {
  Write-Output "ERROR: node must be installed."
  exit 1
}

if (-not (Test-Path node_modules/aws-iot-device-sdk-v2)) {
  Write-Output "Installing AWS SDK..."
  npm.cmd install --no-save aws-iot-device-sdk-v2
  if ($LASTEXITCODE -ne 0) {
    Write-Output "ERROR: Failed to install SDK."
    exit 1
  }
}

Write-Output "Running pub/sub sample application..."
node aws-iot-device-sdk-js-v2/samples/node/pub_sub/index.js --endpoint {{.Endpoint}}{{if ne .Port 8883}} --port {{.Port}}{{end}} --ca_file root-CA.crt --cert {{.FileThing}}.cert.pem --key {{.FileThing}}.private.key --client_id sdk-nodejs-{{.Thing}} --topic sdk/test/js --count 0
