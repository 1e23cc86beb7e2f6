<#
.SYNOPSIS
  Installs freekill-gw.exe as a scheduled task that starts with Windows, or removes it.
.DESCRIPTION
  Copies the program that lies beside this script (made by ./build --target windows-x64) to
  Program Files, makes its data directory in ProgramData, and registers a task that runs
  "freekill-gw.exe watchdog" there as LOCAL SERVICE. The watchdog keeps the server alive; the task
  starts the watchdog with the machine, and again when it fails. Run it again to upgrade.
.PARAMETER Prefix
  Where freekill-gw.exe goes.
.PARAMETER DataDir
  The working directory: configuration, database, logs.
.PARAMETER Uninstall
  Removes task and program; the data stays.
.PARAMETER DryRun
  Says what would be done, and changes nothing.
.EXAMPLE
  powershell -ExecutionPolicy Bypass -File install.ps1 -DryRun
.EXAMPLE
  powershell -ExecutionPolicy Bypass -File install.ps1
.EXAMPLE
  powershell -ExecutionPolicy Bypass -File install.ps1 -Uninstall
#>
#Requires -Version 5.1
[CmdletBinding()]
param(
  [string]$Prefix = (Join-Path $env:ProgramFiles 'freekill-gw'),
  [string]$DataDir = (Join-Path $env:ProgramData 'freekill-gw'),
  [switch]$Uninstall,
  [switch]$DryRun
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$taskName = 'freekill-gw'
$exe = Join-Path $Prefix 'freekill-gw.exe'
# LOCAL SERVICE and the administrators, by numbers: their names are translated.
$localService = 'S-1-5-19'
$system = 'S-1-5-18'
$administrators = 'S-1-5-32-544'

function Say([string]$text) { Write-Host "install: $text" }

function Fail([string]$text, [int]$code) {
  [Console]::Error.WriteLine("install: $text")
  exit $code
}

# Says what is done, and does it unless this is a dry run.
function Step([string]$what, [scriptblock]$work) {
  Say $what
  if (-not $DryRun) { & $work }
}

function Test-Administrator {
  $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
  $principal = New-Object Security.Principal.WindowsPrincipal($identity)
  return $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
}

# The program among those that lie here: its own name, or that of a release.
function Find-Program {
  $here = @(Get-ChildItem -LiteralPath $PSScriptRoot -Filter 'freekill-gw*.exe' -File)
  $named = @($here | Where-Object { $_.Name -eq 'freekill-gw.exe' })
  if ($named.Count -eq 1) { return $named[0].FullName }
  if ($here.Count -eq 1) { return $here[0].FullName }
  Fail "there must be one freekill-gw.exe in $PSScriptRoot, found $($here.Count)" 3
}

# Where a SHA256SUMS lies beside it, the program has to be in it, under whatever name.
function Test-Checksum([string]$program) {
  $sums = Join-Path $PSScriptRoot 'SHA256SUMS'
  if (-not (Test-Path -LiteralPath $sums)) { return }
  $hash = (Get-FileHash -LiteralPath $program -Algorithm SHA256).Hash.ToLowerInvariant()
  $pattern = '^' + $hash + ' [ *]freekill-gw[A-Za-z0-9._-]*$'
  $lines = @(Get-Content -LiteralPath $sums | Where-Object { $_ -cmatch $pattern })
  if ($lines.Count -eq 0) {
    Fail "$program is damaged or another one: its SHA-256, $hash, is not in $sums" 3
  }
  Say "freekill-gw.exe is as $sums says"
}

function Stop-Server {
  $task = Get-ScheduledTask -TaskName $taskName -ErrorAction SilentlyContinue
  if ($null -eq $task) { return }
  Step "stop the task $taskName" {
    Stop-ScheduledTask -TaskName $taskName
    # Ending the task ends the watchdog, not the server that it started. Hard, as a power cut would:
    # what was acknowledged is on the disk.
    Get-Process -Name 'freekill-gw' -ErrorAction SilentlyContinue |
      Where-Object { $_.Path -eq $exe } | Stop-Process -Force
    # A program that runs cannot be replaced, and it takes a moment to be gone.
    $deadline = (Get-Date).AddSeconds(30)
    while (@(Get-Process -Name 'freekill-gw' -ErrorAction SilentlyContinue |
          Where-Object { $_.Path -eq $exe }).Count -gt 0) {
      if ((Get-Date) -gt $deadline) { Fail "$exe did not end within 30 seconds" 3 }
      Start-Sleep -Milliseconds 200
    }
  }
}

function Install-Program([string]$program) {
  Step "copy $program to $exe" {
    New-Item -ItemType Directory -Force -Path $Prefix | Out-Null
    # Beside the old one and renamed over it, so that nobody ever sees half of a file.
    Copy-Item -LiteralPath $program -Destination "$exe.new" -Force
    Move-Item -LiteralPath "$exe.new" -Destination $exe -Force
  }
}

# For the service, the system and administrators alone: it holds passwords and tokens.
function Install-DataDirectory {
  Step "make $DataDir, for LOCAL SERVICE and administrators" {
    New-Item -ItemType Directory -Force -Path $DataDir | Out-Null
    & icacls.exe $DataDir /inheritance:r /grant:r "*${localService}:(OI)(CI)M" `
      "*${system}:(OI)(CI)F" "*${administrators}:(OI)(CI)F" | Out-Null
    if ($LASTEXITCODE -ne 0) { Fail "icacls cannot set who may use $DataDir" 3 }
  }
}

function Install-Task {
  Step "register the task $taskName, at the start of Windows" {
    $action = New-ScheduledTaskAction -Execute ('"' + $exe + '"') -Argument 'watchdog' `
      -WorkingDirectory $DataDir
    $trigger = New-ScheduledTaskTrigger -AtStartup
    $principal = New-ScheduledTaskPrincipal -UserId $localService -LogonType ServiceAccount
    # Without these a task is killed after three days, and never starts on a battery.
    $settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([TimeSpan]::Zero) `
      -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1) -MultipleInstances IgnoreNew `
      -StartWhenAvailable -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -Priority 4
    Register-ScheduledTask -TaskName $taskName -Action $action -Trigger $trigger `
      -Principal $principal -Settings $settings -Force `
      -Description 'FreeKill game server and message gateway' | Out-Null
  }
  Step "start the task $taskName" { Start-ScheduledTask -TaskName $taskName }
}

function Uninstall-All {
  Stop-Server
  if ($null -ne (Get-ScheduledTask -TaskName $taskName -ErrorAction SilentlyContinue)) {
    Step "remove the task $taskName" {
      Unregister-ScheduledTask -TaskName $taskName -Confirm:$false
    }
  }
  if (Test-Path -LiteralPath $exe) {
    Step "remove $exe" { Remove-Item -LiteralPath $exe -Force }
  }
  if (Test-Path -LiteralPath $DataDir) { Say "kept: the data in $DataDir" }
}

$DataDir = $DataDir.TrimEnd('\')
foreach ($path in @($Prefix, $DataDir)) {
  if (-not [IO.Path]::IsPathRooted($path) -or $path.Contains('"')) {
    Fail "paths must be absolute and without quotes, got '$path'" 2
  }
}
if (-not $DryRun -and -not (Test-Administrator)) { Fail 'run this as administrator' 3 }

if ($Uninstall) {
  Uninstall-All
} else {
  $program = Find-Program
  Test-Checksum $program
  Stop-Server
  Install-Program $program
  Install-DataDirectory
  Install-Task
  Say "configuration: $(Join-Path $DataDir 'freekill-gw.json'); a firewall rule is yours to make"
}
