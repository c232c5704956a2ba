/* Blocks for Lua: addresses as numbers, which are doubles, and as light userdata. Few words of
 * Lua's interface are needed, and its headers differ by version. */
#include "blocks.h"

#include <stddef.h>

typedef struct lua_State lua_State;
extern void lua_pushnumber(lua_State *lua, double number);
extern void lua_pushlightuserdata(lua_State *lua, void *address);
extern void lua_pushcclosure(lua_State *lua, int (*function)(lua_State *lua), int count);
extern void lua_createtable(lua_State *lua, int elements, int fields);
extern void lua_setfield(lua_State *lua, int index, const char *name);

static int make_number(lua_State *lua) {
    lua_pushnumber(lua, (double)blocks_make());
    return 1;
}

static int make_light(lua_State *lua) {
    lua_pushlightuserdata(lua, (void *)blocks_make());
    return 1;
}

static int churn(lua_State *lua) {
    lua_pushnumber(lua, blocks_churn());
    return 1;
}

static void set(lua_State *lua, const char *name, int (*function)(lua_State *lua)) {
    lua_pushcclosure(lua, function, 0);
    lua_setfield(lua, -2, name);
}

int luaopen_blocks(lua_State *lua);

int luaopen_blocks(lua_State *lua) {
    lua_createtable(lua, 0, 3);
    set(lua, "number", make_number);
    set(lua, "light", make_light);
    set(lua, "churn", churn);
    return 1;
}
