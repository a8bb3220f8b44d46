/** The one plain page of `examples/page`, read once and served from memory. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { HttpRefusal } from '#service/http';

/** Nothing else of the folder is served. */
const FILES: ReadonlyMap<string, string> = new Map([
  ['index.html', 'text/html; charset=utf-8'],
  ['page.js', 'text/javascript; charset=utf-8'],
  ['page.css', 'text/css; charset=utf-8'],
]);

@Controller()
export class PageController {
  private readonly cached = new Map<string, Promise<Buffer>>();

  @Get('/')
  index(@Res() reply: FastifyReply): Promise<void> {
    return this.file('index.html', reply);
  }

  @Get('/page.js')
  script(@Res() reply: FastifyReply): Promise<void> {
    return this.file('page.js', reply);
  }

  @Get('/page.css')
  looks(@Res() reply: FastifyReply): Promise<void> {
    return this.file('page.css', reply);
  }

  private async file(name: string, reply: FastifyReply): Promise<void> {
    const type = FILES.get(name);
    const folder = pageFolder();
    if (type === undefined || folder === undefined) throw new HttpRefusal(404, 'not_found', 'no such route');
    const content = this.cached.get(name) ?? readFile(join(folder, name));
    this.cached.set(name, content);
    reply
      .type(type)
      .header('cache-control', 'no-cache')
      .send(await content);
  }
}

/** The sources and the build lie at different depths below the repository's root; an image may leave the page out. */
function pageFolder(): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const candidate = join(folder, 'examples', 'page');
    if (existsSync(join(candidate, 'index.html'))) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}
