#!/usr/bin/env node
// The door. It imports nothing but what every Node has before it knows that this Node will do: the rest of the
// program uses what older ones cannot even parse.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 15)) {
  console.error(
    `Holdfast needs Node.js 22.15 or newer; this is ${process.versions.node}.\n` +
      'In the repository, npm scripts bring their own: npm start. Elsewhere, install Node.js 24.',
  );
  process.exitCode = 1;
} else {
  const { enableCompileCache } = await import('./cli/compile-cache.ts');
  enableCompileCache();
  const { runCommand } = await import('./cli/main.ts');
  process.exitCode = await runCommand(process.argv.slice(2));
}

export {};
