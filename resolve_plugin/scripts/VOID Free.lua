-- VOID in Resolve without Studio: Workspace > Scripts > Comp > VOID Free, with a macro VOID in the comp.
-- The first run exports plate and mattes and says the command that makes the result of them, in a terminal. The next
-- one, once that is done, brings the result in. Everything lies in VOID_OUTPUT, else in the folder VOID of your home.

local QUIET, SOMEWHERE, ZIPS = 524288, -32768, 2

-- The macro's controls and the options of void submit. "choice": by its place in the list, counted from 0; false: none.
local OPTIONS = {
  {"engine", "--engine", {"void", "draft"}},
  {"prompt", "--prompt"},
  {"colorspace", "--colorspace"},
  {"affected_shape", "--affected-shape", {"grid", "drawn"}},
  {"affected_first_frame", "--affected-first-frame", {"keep", "clear"}},
  {"segments", "--segments", {"auto", "one"}},
  {"grow", "--grow"},
  {"feather", "--feather"},
}
local MODEL_OPTIONS = {
  {"quality", "--preview", {false, true}},
  {"passes", "--passes", {1, 2}},
  {"seed", "--seed"},
  {"crop", "--crop", {"auto", "full", "box"}},
  {"crop_context", "--crop-context"},
  {"enlarge", "--raster 384x672", {false, true}}, -- whoever names the raster wants it in full
  {"model_grow", "--model-grow"},
  {"detail", "--detail", {"borrow", "upscale", "raw"}},
  {"regrain", "--no-regrain", {true, false}},
  {"time_base", "--time-base", {"native", "model"}},
  {"encoding", "--encoding", {"display", "log"}},
  {"exposure", "--exposure="},
}
local LAYERS = {"fill", "matte", "quadmask", "difference"}

local function stop(text)
  error("VOID: " .. text, 0)
end

local function whole(number)
  return math.floor(number + 0.5)
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function chosen_macro()
  local active, found = comp.ActiveTool, {}
  for _, kind in ipairs({"MacroOperator", "GroupOperator"}) do
    for _, tool in pairs(comp:GetToolList(false, kind) or {}) do
      if tool:GetInput("void_macro") then
        if active and tool.Name == active.Name then return tool end
        table.insert(found, tool)
      end
    end
  end
  if #found ~= 1 then
    stop(#found == 0 and "there is no macro VOID in this comp: drag it in from the Effects."
      or "there are several macros VOID in this comp: select one.")
  end
  return found[1]
end

local function quoted(text)
  local special = package.config:sub(1, 1) == "\\" and '"' or '["\\$`]' -- of Windows' command line, of a shell
  return '"' .. tostring(text):gsub(special, "\\%0") .. '"'
end

local function write_option(line, macro, one)
  local name, option, choices = one[1], one[2], one[3]
  local value = macro:GetInput(name)
  if choices then value = choices[whole(value) + 1] end
  if name == "crop" and value == "box" then
    local wide, high = whole(macro:GetInput("box_width")), whole(macro:GetInput("box_height"))
    local plate = macro:FindMainInput(1):GetConnectedOutput():GetTool():GetAttrs()
    if wide == 0 or high == 0 or not plate.TOOLI_ImageHeight then
      stop("the box has no size, or the plate was never seen: give it both in the Picture page, or choose crop auto.")
    end
    local from_above = plate.TOOLI_ImageHeight - whole(macro:GetInput("box_y")) - high
    value = string.format("%d,%d,%d,%d", whole(macro:GetInput("box_x")), from_above, wide, high)
  end
  if value == true then
    table.insert(line, option)
  elseif type(value) == "number" then
    table.insert(line, option .. " " .. string.format("%g", value))
  elseif value and value ~= "" then
    table.insert(line, option .. (option:sub(-1) == "=" and "" or " ") .. quoted(value))
  end
end

local function command(macro, folder, first, last)
  local line = {"void submit"}
  table.insert(line, "--plate " .. quoted(folder .. "/plate_%04d.exr"))
  table.insert(line, "--mattes " .. quoted(folder .. "/mattes_%04d.exr"))
  table.insert(line, string.format("--range %d-%d", first, last))
  for _, one in ipairs(OPTIONS) do write_option(line, macro, one) end
  if whole(macro:GetInput("engine")) == 0 then
    for _, one in ipairs(MODEL_OPTIONS) do write_option(line, macro, one) end
    if whole(macro:GetInput("time_base")) == 1 and macro:GetInput("rate") > 0 then
      write_option(line, macro, {"rate", "--rate"})
    end
  end
  local layers = {}
  for _, layer in ipairs(LAYERS) do
    if macro:GetInput("layer_" .. layer) == 1 then table.insert(layers, layer) end
  end
  if #layers > 0 then table.insert(line, "--layers " .. table.concat(layers, ",")) end
  if macro:GetInput("server") ~= "" then write_option(line, macro, {"server", "--server"}) end
  table.insert(line, "--out " .. quoted(folder .. "/result_%04d.exr"))
  return table.concat(line, " ")
end

local function new_folder(macro)
  local root = os.getenv("VOID_OUTPUT")
  if not root or root == "" then root = (os.getenv("HOME") or os.getenv("USERPROFILE") or "") .. "/VOID" end
  local version = 1
  while exists(string.format("%s/%s_v%03d/command.txt", root, macro.Name, version)) do version = version + 1 end
  return (string.format("%s/%s_v%03d", root, macro.Name, version):gsub("\\", "/"))
end

local function range(macro)
  local attrs = comp:GetAttrs()
  local handles = whole(macro:GetInput("handles"))
  local first, last = whole(macro:GetInput("first")), whole(macro:GetInput("last"))
  if last < first then
    first = attrs.COMPN_RenderStart or attrs.COMPN_RenderStartTime
    last = attrs.COMPN_RenderEnd or attrs.COMPN_RenderEndTime
  end
  first, last = whole(first) - handles, whole(last) + handles
  if first < attrs.COMPN_GlobalStart or last > attrs.COMPN_GlobalEnd then
    stop(string.format("the range %d-%d leaves what the comp has: shorten it, or the handles.", first, last))
  end
  return first, last
end

local function add(kind, name)
  local active = comp.ActiveTool
  comp:SetActiveTool(nil) -- it would wire itself to that
  comp:Lock() -- it would ask for its file in a window
  local tool = comp:AddTool(kind, SOMEWHERE, SOMEWHERE)
  comp:Unlock()
  comp:SetActiveTool(active)
  if not tool then stop("Fusion adds no " .. kind .. " to this comp.") end
  tool:SetAttrs({TOOLS_Name = name, TOOLB_NameSet = true})
  return tool
end

local function render(macro, folder, first, last)
  local plate = macro:FindMainInput(1):GetConnectedOutput()
  if not plate then stop("input plate of " .. macro.Name .. " is not connected: connect the shot.") end
  local before, muted, savers, done = comp:GetAttrs(), {}, {}, false
  for _, saver in pairs(comp:GetToolList(false, "Saver") or {}) do
    if not saver:GetAttrs().TOOLB_PassThrough then table.insert(muted, saver) end
  end
  comp:StartUndo("VOID export")
  local worked, wrong = pcall(function()
    for _, saver in ipairs(muted) do saver:SetAttrs({TOOLB_PassThrough = true}) end
    local depth = whole(macro:GetInput("plate_depth")) + 1
    for _, one in ipairs({{"plate", plate}, {"mattes", macro:FindMainOutput(2)}}) do
      local saver = add("Saver", "VOID_" .. one[1])
      table.insert(savers, saver)
      saver:SetInput("Clip", folder .. "/" .. one[1] .. "_0000.exr")
      saver:SetInput("CreateDir", 1)
      saver:SetInput("OutputFormat", "OpenEXRFormat")
      saver:SetInput("OpenEXRFormat.Depth", depth)
      saver:SetInput("OpenEXRFormat.Compression", ZIPS)
      saver:FindMainInput(1):ConnectTo(one[2])
    end
    done = comp:Render({Start = first, End = last, Wait = true, RenderFlags = QUIET})
  end)
  for _, saver in ipairs(savers) do saver:Delete() end
  for _, saver in ipairs(muted) do saver:SetAttrs({TOOLB_PassThrough = false}) end
  local kept = {}
  for _, name in ipairs({"RenderStart", "RenderEnd", "RenderStartTime", "RenderEndTime", "CurrentTime"}) do
    kept["COMPN_" .. name] = before["COMPN_" .. name]
  end
  comp:SetAttrs(kept)
  comp:EndUndo(false)
  if not worked then error(wrong, 0) end
  if not done then stop("Fusion did not render plate and mattes: look at the Console, mend that, and try again.") end
end

local function frames_missing(folder, name, first, last)
  for frame = first, last do
    if not exists(string.format("%s/%s_%04d.exr", folder, name, frame)) then return frame end
  end
end

local function export(macro)
  if macro:GetInput("colorspace") == "scene_linear" then
    stop("write the plate's space into colour space, for example Linear Rec.709 (sRGB) in a managed project whose "
      .. "timeline is Rec.709, or Gamma 2.4 Encoded Rec.709 in an unmanaged one.")
  end
  if whole(macro:GetInput("engine")) == 0 and macro:GetInput("prompt") == "" then
    stop("the prompt is empty: write what the empty scene looks like.")
  end
  local first, last = range(macro)
  local folder = new_folder(macro)
  local line = command(macro, folder, first, last)
  render(macro, folder, first, last)
  for _, name in ipairs({"plate", "mattes"}) do
    local frame = frames_missing(folder, name, first, last)
    if frame then stop("Fusion rendered no picture of frame " .. frame .. ".") end
  end
  local file = io.open(folder .. "/command.txt", "w")
  if not file then stop(folder .. " cannot be written.") end
  file:write(line, "\n")
  file:close()
  macro:SetData("void.free", {folder = folder, first = first, last = last})
  print("VOID: plate and mattes are in " .. folder .. ". In a terminal (the line is in command.txt there too):")
  print(line)
  print("VOID: then run VOID Free again, and it brings the result in.")
end

local function import(macro, job)
  local first, last = whole(job.first), whole(job.last)
  comp:StartUndo("VOID result")
  local worked, wrong = pcall(function()
    local output, loader = macro:FindMainInput(4):GetConnectedOutput(), nil
    if output then
      loader = output:GetTool()
    else
      loader = add("Loader", macro.Name .. "_result")
      macro:FindMainInput(4):ConnectTo(loader:FindMainOutput(1))
    end
    loader:SetInput("Clip", string.format("%s/result_%04d.exr", job.folder, first)) -- takes its trims away
    if first > loader:GetInput("GlobalOut") then -- neither may pass the other
      loader:SetInput("GlobalOut", last)
      loader:SetInput("GlobalIn", first)
    else
      loader:SetInput("GlobalIn", first)
      loader:SetInput("GlobalOut", last)
    end
    macro:SetInput("result_first", first)
    macro:SetInput("result_last", last)
    macro:SetInput("use_result", 1)
  end)
  comp:EndUndo(true)
  if not worked then error(wrong, 0) end
  macro:SetData("void.free", nil)
  print("VOID: the result of frames " .. first .. " to " .. last .. " is in.")
end

local worked, wrong = pcall(function()
  local macro = chosen_macro()
  local job = macro:GetData("void.free")
  if not job or not exists(string.format("%s/result_%04d.exr", job.folder, job.first)) then
    export(macro)
    return
  end
  local frame = frames_missing(job.folder, "result", whole(job.first), whole(job.last))
  if frame then
    stop("frame " .. frame .. " of the result is not there yet: run void submit to its end, or delete "
      .. job.folder .. " to export anew.")
  end
  import(macro, job)
end)
if not worked then print(wrong) end
